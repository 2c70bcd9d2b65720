// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
)

// ErrMounted is the error for a path that something is mounted on.
var ErrMounted = tree.ErrMounted

// Remove deletes a file, a symbolic link, or a directory with everything in
// it. It never leaves the mount that path's parent directory lies in: a mount
// anywhere below is ErrMounted, and what is in it stays. Symbolic links are
// deleted and never followed, except those on the way to path, which are the
// host's own (/var/run). Removing what does not exist is no error.
func (l Local) Remove(path string) error {
	return l.remove(path, nil, false)
}

// Empty deletes everything in a directory, except entries directly in it whose
// names are kept, and leaves the directory itself; the same rules as for
// Remove. The directory itself may be a mount of its own.
func (l Local) Empty(dir string, keep ...string) error {
	return l.remove(dir, keep, true)
}

// RemoveEmpty deletes a directory if nothing is in it; what is not empty, or a
// mount, stays, and that is no error.
func (l Local) RemoveEmpty(dir string) error {
	at, err := l.Reach(dir)
	if err == nil {
		err = unix.Rmdir(at)
	}
	for _, stays := range []error{nil, unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST, unix.EBUSY, unix.ENOTDIR} {
		if errors.Is(err, stays) {
			return nil
		}
	}
	return &fs.PathError{Op: "remove", Path: dir, Err: err}
}

func (l Local) remove(path string, keep []string, contents bool) error {
	parent, name := filepath.Split(filepath.Clean(path))
	if name == "" || parent == "" {
		return fmt.Errorf("remove %s: %w", path, fs.ErrInvalid)
	}
	dir, err := l.openDir(parent)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	defer func() { _ = unix.Close(dir) }()
	r := &tree.Remover{Path: filepath.Clean(path)}
	if !contents {
		r.Entry(dir, name)
		return r.Err()
	}
	// The directory itself may be a mount: it is opened by its path, and what
	// is in it must not cross into another.
	self, err := l.openDir(path)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("empty %s: %w", path, err)
	}
	r.Empty(self, keep)
	return r.Err()
}

// openDir opens a directory of the host; mounts and the host's symbolic links
// on the way are all right, as long as they lead to a place below Root.
func (l Local) openDir(path string) (int, error) {
	real, err := l.Real(path)
	if err != nil {
		return -1, err
	}
	return unix.Open(l.Path(real), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
}
