// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// written says that a file was made or changed since the join; empty if it was not, or is as
// a package brought it. A change is dated by the kernel's own time: anyone sets another one
// back (cp -p, touch -r). A package's files keep the times at which they were built, so only
// of what has such a time it is asked whether it is a package's, and of what lies where packages
// have their own: one may have been built since the join.
func (t HostPaths) written(ctx context.Context, path string, info fs.FileInfo) string {
	younger := t.Younger(path)
	switch {
	case info.Mode()&(fs.ModeDevice|fs.ModeSocket|fs.ModeNamedPipe) != 0, !younger && !t.Changed(path):
		return ""
	case (info.ModTime().Before(t.Facts.Joined) || t.ofPackages(path)) && t.unaltered(ctx, path, info):
		return ""
	case !younger:
		return "changed since the join"
	}
	return "made since the join"
}

// ofPackages reports whether a path is where packages, and hardly anyone else, put files.
func (t HostPaths) ofPackages(path string) bool {
	return host.Below(path, "/usr") && !host.Below(path, "/usr/local") || slices.Contains(t.Places().BinDirs, filepath.Dir(path))
}

// verifyLimit bounds how long a package manager may take for one package.
const verifyLimit = 3 * time.Second

// unaltered reports whether a file is from a package and has what the package brought. Where
// a package manager does not tell, it is not. Debian's verifies no links: one of a package's
// may lead to another file of a package's.
func (t HostPaths) unaltered(ctx context.Context, path string, info fs.FileInfo) bool {
	from, err := t.Packaged(ctx, path)
	if err != nil || from == "" {
		return false
	}
	cmd := host.Command{Name: "rpm", Args: []string{"-Vf", path}, Timeout: verifyLimit}
	if name, is := debianPackage(from, path); is {
		cmd.Name, cmd.Args = "dpkg", []string{"--verify", name}
		if info.Mode()&fs.ModeSymlink != 0 {
			to := t.Resolve(path)
			leads, err := t.Lstat(to)
			return to != path && err == nil && leads.Mode().IsRegular() && t.unaltered(ctx, to, leads)
		}
	}
	whole := from // rpm's is the package
	if cmd.Name == "dpkg" {
		whole = cmd.Args[1]
	}
	said, err := part.Once(t.Host, "what is altered of package "+whole, func() (string, error) { return t.verified(ctx, cmd) })
	return err == nil && !altered(said, path)
}

// verified is what a package manager says of a package that is not as it was brought.
func (t HostPaths) verified(ctx context.Context, cmd host.Command) (string, error) {
	said, err := t.Run(ctx, cmd)
	var ended *exec.ExitError
	var failed *host.CommandError
	if errors.As(err, &failed) && errors.As(err, &ended) && ended.ExitCode() == 1 { // something of the package is altered
		said, err = failed.Output, nil
	}
	return said, err
}

// debianPackage is the package that dpkg-query -S names for a path; false for what is no such
// answer, or names no single one.
func debianPackage(said, path string) (name string, is bool) {
	name, is = strings.CutSuffix(said, ": "+path)
	return name, is && !strings.ContainsAny(name, ", \n")
}

// altered reports whether dpkg --verify or rpm -V says that what is in a file, or where a
// link leads, is another than the package's.
func altered(said, path string) bool {
	for line := range strings.Lines(said) {
		line = strings.TrimSuffix(line, "\n")
		flags, _, _ := strings.Cut(line, " ")
		if strings.HasSuffix(line, " "+path) && (len(flags) < 9 || flags[2] != '.' || flags[4] == 'L') {
			return true
		}
	}
	return false
}

// rootOwned reports whether something is root's.
func (t HostPaths) rootOwned(path string) bool {
	info, err := t.Lstat(path)
	if err != nil {
		return false
	}
	stat, is := info.Sys().(*syscall.Stat_t)
	return is && stat.Uid == 0
}

// ofSystemd reports whether a transient unit only groups processes: sessions and containers
// have one each.
func ofSystemd(path string) bool {
	return filepath.Dir(path) == "/run/systemd/transient" && slices.Contains([]string{".scope", ".slice"}, filepath.Ext(path))
}
