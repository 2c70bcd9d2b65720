// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// roots are the directories that are searched, wherever the host's own links lead, and
// then the disks of this host's that are mounted below them, each with what is left of the
// bounds: a large one must not keep the others from being searched. What is in a home is
// its user's, whose links are not followed.
func (f *search) roots(homes []disk.Home) []searchRoot {
	var dirs []string
	for _, h := range homes {
		dirs = append(dirs, f.t.Resolve(h.Path))
	}
	out := searchRoots(dirs)
	for i := range out {
		if !slices.ContainsFunc(dirs, func(home string) bool { return out[i].dir == home || host.Below(out[i].dir, home) }) {
			out[i].dir = f.t.Resolve(out[i].dir)
		}
	}
	standing := len(out)
	for _, m := range f.mounts {
		at := slices.IndexFunc(out[:standing], func(r searchRoot) bool { return host.Below(m.Path, r.dir) && r.left(m.Path) > 0 })
		if at >= 0 && !f.ours(m) && f.isSearched(m) {
			on := out[at]
			out = append(out, searchRoot{dir: m.Path, all: on.all, depth: on.left(m.Path), whole: on.whole, links: on.links})
		}
	}
	return out
}

// isSearched reports whether a mount is a disk of this host's on which its own programs keep
// files.
func (f *search) isSearched(m host.Mount) bool {
	// What is mounted for pods other parts name.
	skipped := slices.ContainsFunc(append(f.t.Roots(), f.skip...), func(dir string) bool { return m.Path == dir || host.Below(m.Path, dir) })
	return slices.Contains([]host.Class{host.Disk, host.Bind, host.Memory}, m.Class()) && !skipped &&
		(!ownTool(m.Path) || !f.rootOwned(m.Path)) &&
		!host.Below(m.Path, "/run/user")
}

// below searches one root. It never crosses into another mount, and leaves out file systems
// of other machines.
func (f *search) below(ctx context.Context, root searchRoot) error {
	if !f.t.AtHome(root.dir) {
		return nil
	}
	f.began = f.entries
	err := f.dir(ctx, root, "")
	if errors.Is(err, enough) {
		f.passed = append(f.passed, passed{inventory.KindDir, root.dir, "in part; " + enough.Error()})
		err = nil
	}
	return err
}

// atOnceListed is how many names of a directory are held at the same time: a user may
// have millions of files at home.
const atOnceListed = 1000

// dir searches one directory of a root, and then those in it.
func (f *search) dir(ctx context.Context, root searchRoot, below string) error {
	d, err := f.t.Open(filepath.Join(root.dir, below), true)
	if errors.Is(err, unix.ELOOP) {
		return nil
	}
	if err != nil {
		f.pass(inventory.KindDir, filepath.Join(root.dir, below), err)
		return nil
	}
	defer func() { _ = d.Close() }() // it was read
	var dirs []string
	for {
		entries, err := d.ReadDir(atOnceListed)
		for _, e := range entries {
			inner, err := f.entry(ctx, root, filepath.Join(below, e.Name()), e)
			if err != nil {
				return err
			}
			dirs = append(dirs, inner...)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			f.pass(inventory.KindDir, filepath.Join(root.dir, below), err)
			break
		}
	}
	for _, name := range dirs {
		if err := f.dir(ctx, root, name); err != nil {
			return err
		}
	}
	return nil
}

// entry looks at one name below a root; it returns a directory that is to be searched.
func (f *search) entry(ctx context.Context, root searchRoot, name string, e fs.DirEntry) (dirs []string, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if f.entries++; f.entries > mostSearched {
		return nil, tooMuch
	}
	if root.most > 0 && f.entries-f.began > root.most {
		return nil, enough
	}
	at := filepath.Join(root.dir, name)
	switch {
	case e.IsDir():
		switch {
		case f.leaveOut(at):
		case strings.Count(name, "/") < root.depth:
			dirs = append(dirs, name)
		case root.whole:
			f.passed = append(f.passed, passed{inventory.KindDir, at, fmt.Sprintf("deeper than %d directories below %s", root.depth, root.dir)})
		}
	case e.Type().IsRegular():
		err = f.file(at, e, root.all)
	case e.Type() == fs.ModeSymlink && root.links:
		err = f.follow(root, at, e)
	}
	return dirs, err
}
