// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Host is a host as the parts of a removal see it: the machine, what the cluster
// knows about the node on it, what a person has chosen, and where a removal writes
// down what it must not forget.
type Host struct {
	host.Local
	Facts   inventory.Facts
	Choices inventory.Choices
	// Scope limits what goes; the zero value for everything.
	Scope inventory.Scope
	// StateDir is where notes are kept; empty for a host that is only looked at.
	StateDir string
	// Second reports whether an owner has a sign on this host besides those of some
	// kinds.
	Second func(owner inventory.Owner, besides ...inventory.Kind) bool
	// At is what the places were found to be, Astray why they could not be read; nil
	// before they are looked for.
	At     *Places
	Astray error
	// Memory is what this look has read; nil for a step that changes the host.
	Memory *Memory
}

// Exists reports whether there is something at a path; a link is not followed. A disk
// that does not answer says neither yes nor no: an error is not "no".
func (t Host) Exists(path string) (bool, error) {
	at, err := t.Reach(path)
	if err != nil {
		return false, err
	}
	return present(at)
}

func present(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// AnyExists reports whether there is something at one of some paths; those that
// cannot be looked at are an error, also where another is there.
func (t Host) AnyExists(paths ...string) (any bool, err error) {
	for _, path := range paths {
		is, unread := t.Exists(path)
		any, err = any || is, errors.Join(err, unread)
	}
	return any, err
}

// IsDir reports whether a path is a directory, and no link to one.
func (t Host) IsDir(path string) bool {
	info, err := t.Lstat(path)
	return err == nil && info.IsDir()
}

// Changed reports whether a file was renamed or written since the join.
func (t Host) Changed(path string) bool {
	var stat unix.Stat_t
	at, err := t.Reach(path)
	if err == nil {
		err = unix.Lstat(at, &stat)
	}
	return err == nil && !t.Facts.Joined.IsZero() && time.Unix(stat.Ctim.Unix()).After(t.Facts.Joined)
}

// Names lists a directory; one that does not exist is empty.
func (t Host) Names(dir string) ([]string, error) {
	entries, err := t.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out, err
}

// Listed are the files of a directory whose names end in some way, in their order.
func (t Host) Listed(dir, suffix string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	names, err := t.Names(dir)
	if errors.Is(err, unix.ENOTDIR) {
		err = nil
	}
	var out []string
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			out = append(out, filepath.Join(dir, name))
		}
	}
	return out, err
}

// Resolve is a path of the host without symbolic links, as far as it exists.
func (t Host) Resolve(path string) string {
	real, err := t.Real(path)
	if errors.Is(err, fs.ErrNotExist) && path != "/" {
		return filepath.Join(t.Resolve(filepath.Dir(path)), filepath.Base(path))
	}
	if err != nil {
		return path
	}
	return real
}

// rootOwns reports whether a file is root's.
func rootOwns(path string) bool {
	var stat unix.Stat_t
	return unix.Stat(path, &stat) == nil && stat.Uid == 0
}

// Birth is when something was made. What was born since the join on an overlay, and last
// written before it, is a copy of what was there already: it is as old as its content.
func (t Host) Birth(path string) (time.Time, error) {
	born, err := t.Born(path)
	if err != nil || born.IsZero() || t.Facts.Joined.IsZero() || born.Before(t.Facts.Joined.Add(-JoinMoment)) {
		return born, err
	}
	written, err := t.Written(path)
	if err == nil && !written.IsZero() && written.Before(t.Facts.Joined.Add(-JoinMoment)) {
		return written, nil
	}
	return born, err
}

// Younger reports whether a directory was made by the join or after it. kubeadm
// makes one just before the first file in it, which dates the join.
func (t Host) Younger(path string) bool {
	younger, err := t.age(path)
	return younger && err == nil
}

// age is Younger, and says why it cannot be told.
func (t Host) age(path string) (younger bool, err error) {
	if copied, err := t.Copied(path); err != nil || copied {
		return false, err // it may have been there before
	}
	born, err := t.Birth(path)
	return err == nil && !born.IsZero() && !t.Facts.Joined.IsZero() && !born.Before(t.Facts.Joined.Add(-JoinMoment)), err
}

// Older reports whether something was made before the join; false if that cannot be told.
// Where the file system keeps no births, it is older if it was not written since.
func (t Host) Older(path string) bool {
	if copied, err := t.Copied(path); err != nil || copied || t.Undated() {
		return false
	}
	born, err := t.bornOrWritten(path)
	return err == nil && !born.IsZero() && born.Before(t.Facts.Joined.Add(-JoinMoment))
}

// bornOrWritten is when a file was made or, where the file system does not keep that (ext3,
// XFS before version 5), when it was last written.
func (t Host) bornOrWritten(path string) (time.Time, error) {
	born, err := t.Birth(path)
	if err != nil || !born.IsZero() {
		return born, err
	}
	info, err := t.Lstat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Undated reports whether nothing tells when this host joined: it never did, or its traces
// are gone. What only lies where Kubernetes keeps things may be anyone's then.
func (t Host) Undated() bool { return t.Facts.Joined.IsZero() }

// Doubt says of something whose owner only its age could tell that this cannot be told; empty
// where the host's join is dated.
func (t Host) Doubt() string {
	const doubt = "it may be the cluster's: "
	switch why := t.joinDate().Void; {
	case !t.Undated():
		return ""
	case why != "":
		return doubt + "when this host joined cannot be told, since " + why
	}
	return doubt + "nothing tells when this host joined"
}

// Before reports whether something is older than the join and has not changed since, so
// that it is none of the cluster's whatever it is called.
func (t Host) Before(path string) bool { return t.Older(path) && !t.Changed(path) }

// Some lists a directory, and no link to one, up to a bound: a pod may have made millions of
// names. It reports whether there are more.
func (t Host) Some(dir string, most int) (entries []fs.DirEntry, more bool, err error) {
	f, err := t.Open(dir, true)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }() // it was read
	entries, err = f.ReadDir(max(most, 0) + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if more = len(entries) > most; more {
		entries = entries[:max(most, 0)]
	}
	return entries, more, err
}

// Touched reports whether anything in a directory has changed since the join, or it has
// more in it than is looked at.
func (t Host) Touched(dir string) bool {
	const most = 4096
	seen := 0
	var within func(dir string) bool
	within = func(dir string) bool {
		entries, more, err := t.Some(dir, most-seen)
		if err != nil || more {
			return true
		}
		for _, e := range entries {
			at := filepath.Join(dir, e.Name())
			if seen++; seen > most || t.Changed(at) || e.IsDir() && !t.Mounted(at) && within(at) {
				return true
			}
		}
		return false
	}
	return t.IsDir(dir) && within(dir)
}

// JoinMoment is how long before the file that dates the join things are made by it.
const JoinMoment = 500 * time.Millisecond

// Mounted reports whether a directory is a mount of its own, or that cannot be read.
func (t Host) Mounted(dir string) bool {
	mounts, err := t.Mounts()
	return err != nil || slices.ContainsFunc(mounts, func(m host.Mount) bool { return m.Path == dir })
}

// Credentialed reports whether the kubelet could still act as this node.
func (t Host) Credentialed() (bool, error) {
	return t.AnyExists("/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf")
}

// KubeletRoot is the kubelet's --root-dir without symbolic links.
func (t Host) KubeletRoot() string { return t.Resolve(t.Places().Root) }

// KubeadmDir is where kubeadm puts the kubelet's configuration, and a kubelet looks for
// device plugins, wherever its root is; without symbolic links.
func (t Host) KubeadmDir() string { return t.Resolve(inventory.DefaultKubeletRoot) }

// Roots are the directories in which a kubelet's names are.
func (t Host) Roots() []string {
	if root, usual := t.KubeletRoot(), t.KubeadmDir(); root != usual {
		return []string{root, usual}
	}
	return []string{t.KubeadmDir()}
}

// Unread says what it means that a file could not be read; empty for one that is not
// there, or is no plain file.
func Unread(err error) string {
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, host.ErrNotRegular), errors.Is(err, unix.ELOOP), errors.Is(err,
		unix.ENOTDIR), errors.Is(err, unix.ENXIO):
		return ""
	case errors.Is(err, host.ErrTooLarge):
		return "it is too large to be read, and may refer to the cluster"
	}
	return "it cannot be read, and may refer to the cluster"
}
