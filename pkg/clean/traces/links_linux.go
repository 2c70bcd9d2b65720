// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// link is one of root's in a directory that is searched, and where it leads.
type link struct{ from, to string }

// The bounds of what is searched over links: how many of them are followed, how many
// directories they lead to, and what is in one of these.
const (
	mostLinks    = 4096
	mostOfLinks  = 32
	mostOfLinked = 2000
	deepestLink  = 4
)

// unlinked are where no configuration is: the kernel's, and logs.
func unlinked() []string { return []string{"/proc", "/sys", "/dev", "/var/log"} }

// packages are where packages have their own: only what has changed since the join is read
// there, unless it is an administrator's.
func packages(path string) bool {
	in := func(dir string) bool { return part.Within(path, dir) }
	return !in("/usr/local") && slices.ContainsFunc([]string{"/usr", "/lib", "/lib64", "/bin", "/sbin", "/boot"}, in)
}

// follow looks at what a link of root's leads to: a file at once, a directory after the others.
// What is searched by its own name, goes, or is mounted for pods is not.
func (f *search) follow(root searchRoot, at string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return nil //nolint:nilerr // it has gone since
	}
	stat, is := info.Sys().(*syscall.Stat_t)
	if !is || stat.Uid != 0 || f.links > mostLinks {
		return nil
	}
	if f.links++; f.links > mostLinks {
		f.passed = append(f.passed, passed{inventory.KindFile, at, fmt.Sprintf("there are more than %d links", mostLinks)})
		return nil
	}
	to, err := f.t.Real(at)
	if err != nil || f.aside(to) {
		return nil //nolint:nilerr // it leads nowhere, or to another machine
	}
	leads, err := f.t.Lstat(to)
	if err != nil {
		return nil //nolint:nilerr // it has gone since
	}
	all := root.all && !packages(to)
	switch {
	case leads.Mode().IsRegular():
		f.linked = append(f.linked, link{at, to})
		return f.file(to, fs.FileInfoToDirEntry(leads), all)
	case !leads.IsDir() || f.isSearchedAnyway(to):
	case f.over == mostOfLinks:
		f.passed = append(f.passed, passed{inventory.KindDir, at, fmt.Sprintf("links lead to more than %d directories", mostOfLinks)})
	default:
		f.over++
		f.linked = append(f.linked, link{at, to})
		f.pending = append(f.pending, searchRoot{dir: to, all: all, depth: deepestLink, whole: !packages(to), links: true, most: mostOfLinked})
	}
	return nil
}

// aside reports whether nothing at a path is searched over a link: it goes, another part or no
// part looks there, or it is mounted for pods.
func (f *search) aside(path string) bool {
	for up := path; up != "/"; up = filepath.Dir(up) {
		if slices.Contains(f.skip, up) || slices.Contains(unlinked(), up) || f.t.Memory.Going(up) || ownTool(up) && f.rootOwned(up) {
			return true
		}
	}
	at := path
	for at != "/" && !f.mounted[at] {
		at = filepath.Dir(at)
	}
	if at == "/" {
		return false
	}
	return slices.ContainsFunc(f.mounts, func(m host.Mount) bool { return m.Path == at && (f.ours(m) || !f.isSearched(m)) })
}

// isSearchedAnyway reports whether a directory has one in it that is searched, as the root
// directory has, or is in one that is searched as deep as it would be over a link.
func (f *search) isSearchedAnyway(dir string) bool {
	return slices.ContainsFunc(slices.Concat(f.searched, f.pending), func(r searchRoot) bool {
		return part.Within(r.dir, dir) || r.all && host.Below(dir, r.dir) && r.left(dir) >= deepestLink
	})
}

// searchAll searches roots one after the other, and what root's links in them lead to before
// the last, which is the largest. It returns what is left where there is too much.
func (f *search) searchAll(roots []searchRoot, search func(searchRoot) error) (left []searchRoot, err error) {
	f.searched = slices.Clone(roots)
	for len(roots) > 0 {
		if err := search(roots[0]); err != nil {
			return roots, err
		}
		f.searched = append(f.searched, f.pending...)
		roots = slices.Clone(roots[1:])
		at := slices.IndexFunc(roots, func(r searchRoot) bool { return r.last })
		roots, f.pending = slices.Insert(roots, max(at, 0), f.pending...), nil
	}
	return nil, nil
}

// nameLinks says of what was found by which link it is reached, too.
func (f *search) nameLinks() {
	for i, it := range f.found {
		at := slices.IndexFunc(f.linked, func(l link) bool { return part.Within(it.Name, l.to) })
		if at >= 0 {
			f.found[i].Refers += "; the link " + f.linked[at].from + " leads there"
		}
	}
}
