// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// below searches one root. It never crosses into another mount, follows no links,
// and leaves out file systems of other machines.
func (f *search) below(ctx context.Context, root searchRoot) error {
	if !f.t.AtHome(root.dir) {
		return nil
	}
	return f.dir(ctx, root, "")
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
	}
	return dirs, err
}
