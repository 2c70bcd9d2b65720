// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	plugin = "kubectl-lifecycle"
	// mostPlugin and mostArchive are the budget of a download: a plugin that is larger
	// makes no release.
	mostPlugin  = 90_000_000
	mostArchive = 35_000_000
)

// release is one version for some platforms.
type release struct {
	version, source, out, downloads string
	platforms                       []platform
	// bare leaves the node program out.
	bare bool
	// at is when the commit was made: the time of all files in it.
	at time.Time
}

// artifact is a file of the release, by its name in the directory.
type artifact struct {
	name string
	of   platform
}

// identify finds out which version this is, and when its commit was made.
func (r *release) identify(ctx context.Context) error {
	raw, err := r.git(ctx, "log", "-1", "--format=%ct %h")
	if err != nil {
		return err
	}
	seconds, commit, _ := strings.Cut(raw, " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of the commit: %w", err)
	}
	r.at = time.Unix(at, 0).UTC()
	if r.version == "" {
		if tag, err := r.git(ctx, "describe", "--tags", "--exact-match", "--match", "v[0-9]*"); err == nil {
			r.version = tag
		} else {
			r.version = "v0.0.0-snapshot." + r.at.Format("20060102150405") + ".g" + commit
		}
	}
	if !regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`).MatchString(r.version) {
		return fmt.Errorf("%q is no version: write v1.2.3", r.version)
	}
	return nil
}

// git asks the repository.
func (r *release) git(ctx context.Context, args ...string) (string, error) {
	raw, err := exec.CommandContext(ctx, "git", append([]string{"-C", r.source}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// make fills the directory.
func (r *release) make(ctx context.Context) error {
	if !r.bare {
		if err := r.requireNodePrograms(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	binaries, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(binaries) }() // of no use to a person
	var archives []artifact
	for _, p := range r.platforms {
		fmt.Fprintln(os.Stderr, "building", plugin, r.version, "for", p)
		built := filepath.Join(binaries, strings.ReplaceAll(p.String(), "/", "_"))
		if err := r.build(ctx, p, built); err != nil {
			return err
		}
		archive, err := r.pack(p, built)
		if err != nil {
			return err
		}
		archives = append(archives, archive)
	}
	if err := r.writeKrew(ctx, archives); err != nil {
		return err
	}
	return r.writeChecksums()
}

// pack makes all files of one platform of its plugin.
func (r *release) pack(p platform, built string) (artifact, error) {
	archive, err := r.writeArchive(p, built)
	if err != nil {
		return artifact{}, fmt.Errorf("make the archive for %s: %w", p, err)
	}
	if err := r.writeMaterials(p, built); err != nil {
		return artifact{}, fmt.Errorf("make the bill of materials for %s: %w", p, err)
	}
	if p.os != "linux" {
		return archive, nil
	}
	for _, format := range []string{"deb", "rpm"} {
		if err := r.writePackage(p, built, format); err != nil {
			return artifact{}, fmt.Errorf("make the %s for %s: %w", format, p, err)
		}
	}
	return archive, nil
}

// requireNodePrograms refuses a release whose plugins could not work on a host.
func (r *release) requireNodePrograms() error {
	for _, arch := range []string{"amd64", "arm64"} {
		if _, err := os.Stat(filepath.Join(r.source, "pkg/runner/payload", "lifecycle-node-linux-"+arch+".gz")); err != nil {
			return fmt.Errorf("the node program for %s is not there: run 'make node-program' first", arch)
		}
	}
	return nil
}

// build compiles the plugin. What would differ from one machine to the next is left out.
func (r *release) build(ctx context.Context, p platform, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X main.version="+r.version, "-o", absolute(to), "./cmd/"+plugin)
	cmd.Dir = r.source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOOS="+p.os, "GOARCH="+p.arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build for %s: %w\n%s", p, err, out)
	}
	return within(to, mostPlugin)
}

// within is an error if a file is larger than it may be.
func within(path string, most int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > most {
		return fmt.Errorf("%s has %d bytes, more than %d", filepath.Base(path), info.Size(), most)
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// create makes a file of the release, and fills it.
func (r *release) create(name string, fill func(*os.File) error) error {
	f, err := os.Create(filepath.Join(r.out, name))
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
