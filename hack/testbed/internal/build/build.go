// SPDX-License-Identifier: Apache-2.0

// Package build makes, from pinned sources and into a cache, what the test bed
// is made of: programs from Go modules and root file systems from Debian
// packages.
package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/hack/testbed/internal/sys"
)

// unfinishedPrefix begins the names of directories that are being made.
const unfinishedPrefix = ".making-"

// Builder builds into Cache. Source is the directory hack/testbed.
type Builder struct {
	Cache    string
	Source   string
	Progress *sys.Progress
}

// Dir returns the directory in the cache where a product lies or will lie.
func (b *Builder) Dir(p Product) (string, error) {
	module := b.moduleDir(p)
	sums, err := KeyOfFiles(filepath.Join(module, "go.mod"), filepath.Join(module, "go.sum"))
	if err != nil {
		return "", err
	}
	key := Key(append(b.goArgs(p), sums, runtime.Version(), runtime.GOARCH, b.cgo(p))...)
	return filepath.Join(b.Cache, "build", p.Name+"-"+key), nil
}

// Build builds a product, unless it is in the cache, and returns its directory.
func (b *Builder) Build(ctx context.Context, p Product) (string, error) {
	if err := b.ensureModule(ctx, p); err != nil {
		return "", err
	}
	dir, err := b.Dir(p)
	if err != nil {
		return "", err
	}
	err = b.Once(ctx, dir, "building "+b.title(p), func(ctx context.Context, temp string) error {
		return b.compile(ctx, p, temp)
	})
	return dir, err
}

// Once makes the directory dir by the function work, unless it exists. The work
// is done in a temporary directory that is renamed at the end, so that what
// exists is complete, whatever interrupted us.
func (b *Builder) Once(ctx context.Context, dir, title string, work func(ctx context.Context, temp string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("create cache directory: %w", err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), unfinishedPrefix)
	if err != nil {
		return fmt.Errorf("create build directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("open build directory: %w", err)
	}
	err = b.Progress.Step(ctx, title, func(ctx context.Context) error { return work(ctx, temp) })
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	if err := os.Rename(temp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep build product: %w", err)
	}
	return nil
}

// abandoned is the age at which an unfinished directory belongs to no run.
const abandoned = 2 * time.Hour

// Sweep removes what killed runs have left half made in the cache.
func (b *Builder) Sweep() error {
	unfinished, err := filepath.Glob(filepath.Join(b.Cache, "*", unfinishedPrefix+"*"))
	if err != nil {
		return fmt.Errorf("look for unfinished builds: %w", err)
	}
	for _, dir := range unfinished {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < abandoned {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove unfinished build: %w", err)
		}
	}
	return nil
}

func (b *Builder) compile(ctx context.Context, p Product, dir string) error {
	packages := slices.Sorted(maps.Values(p.Programs))
	args := append([]string{"build", "-o", dir + "/"}, b.goArgs(p)...)
	goBuild := sys.Cmd{Name: "go", Args: append(args, packages...), Dir: b.moduleDir(p),
		// The user's GOFLAGS and workspace must not change what is pinned.
		Env: []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=" + b.cgo(p)}}
	if err := goBuild.Run(ctx); err != nil {
		return err
	}
	for name, pkg := range p.Programs {
		if built := programName(pkg); built != name {
			if err := os.Rename(filepath.Join(dir, built), filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("name program %s: %w", name, err)
			}
		}
	}
	return nil
}

// goArgs are the arguments of go build that decide about the result.
func (b *Builder) goArgs(p Product) []string {
	ldflags := []string{"-s", "-w"}
	if p.Cgo {
		ldflags = append(ldflags, `-extldflags "-static"`)
	}
	if p.Version != "" {
		ldflags = append(ldflags, versionStamps(p.Version)...)
	}
	return []string{"-trimpath", "-buildvcs=false", "-ldflags", strings.Join(ldflags, " ")}
}

func (b *Builder) cgo(p Product) string {
	if p.Cgo {
		return "1"
	}
	return "0"
}

func (b *Builder) title(p Product) string {
	title := p.Name
	if p.Version != "" {
		title += " " + p.Version
	}
	return title + " (" + strings.Join(slices.Sorted(maps.Keys(p.Programs)), ", ") + ")"
}

// moduleDir is where the pins of a product stand: in the repository or, for a
// Kubernetes version that is not pinned there, in the cache.
func (b *Builder) moduleDir(p Product) string {
	pinned := filepath.Join(b.Source, "modules", p.Module)
	if _, err := os.Stat(filepath.Join(pinned, "go.mod")); err == nil || p.Version == "" {
		return pinned
	}
	return filepath.Join(b.Cache, "modules", p.Module)
}

// programName is the file name that go build gives to a package: the last
// element of its path that is not a major version.
func programName(pkg string) string {
	name := path.Base(pkg)
	if regexp.MustCompile(`^v[0-9]+$`).MatchString(name) {
		name = path.Base(path.Dir(pkg))
	}
	return name
}
