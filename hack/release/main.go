// SPDX-License-Identifier: Apache-2.0

// Command release builds everything that a release consists of, into one directory: an
// archive for each platform, Debian and RPM packages, a bill of materials for each
// plugin, checksums, the manifest for krew, and a krew index. The same commit, Go and
// version make the same bytes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	r := release{}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&r.version, "version", "", "The version, as v1.2.3 (default: of the tag that is checked out, else a snapshot's)")
	flags.StringVar(&r.source, "source", ".", "The repository")
	flags.StringVar(&r.out, "out", "dist", "The directory to fill; what it holds from before is deleted")
	flags.StringVar(&r.downloads, "downloads", "https://github.com/kubectl-lifecycle/kubectl-lifecycle/releases/download",
		"Where the archives of all versions will be")
	only := flags.String("platforms", "", "Some platforms, as linux/amd64,darwin/arm64 (default: all)")
	flags.BoolVar(&r.bare, "bare", false, "Build plugins without the node program, for a test")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.platforms, err = choose(*only); err != nil {
		return err
	}
	if err := r.identify(ctx); err != nil {
		return err
	}
	return r.make(ctx)
}

// platform is an operating system and an architecture, in Go's names.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// platforms are those that a release has plugins for.
func platforms() []platform {
	var all []platform
	for _, system := range []string{"darwin", "linux", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			all = append(all, platform{system, arch})
		}
	}
	return all
}

// choose are the platforms that are named, or all.
func choose(names string) ([]platform, error) {
	if names == "" {
		return platforms(), nil
	}
	var chosen []platform
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, p := range platforms() {
			if p.String() == name {
				chosen, found = append(chosen, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no platform %q", name)
		}
	}
	return chosen, nil
}
