// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrMounted says that something is mounted below what was to be removed.
var ErrMounted = errors.New("something is mounted there")

// fence is how a file below a directory is opened: never out of it, never
// through a symbolic link, never into another mount, a bind mount of the same
// file system included (Linux 5.6).
const fence = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV

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
	err := unix.Rmdir(l.Path(dir))
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
	r := &remover{path: filepath.Clean(path)}
	if !contents {
		r.entry(dir, name)
		return r.err()
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
	r.empty(self, keep)
	return r.err()
}

// openDir opens a directory of the host; mounts and the host's symbolic links
// on the way are all right, as long as they lead to a place below Root.
func (l Local) openDir(path string) (int, error) {
	real, err := filepath.EvalSymlinks(l.Path(path))
	if err != nil {
		return -1, err
	}
	if root := l.Path("/"); root != "/" && real != root && !Below(real, root) {
		return -1, fmt.Errorf("%s leads out of %s: %w", path, root, fs.ErrInvalid)
	}
	return unix.Open(real, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
}

// thawAt thaws a file in an open directory, in the same mount.
func thawAt(dir int, name string) bool {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: fence}
	fd, err := unix.Openat2(dir, name, &how)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	return thaw(fd)
}

// thaw takes the immutable and append-only attributes off a directory or a
// file, and reports whether there were any. It leaves a file alone that has
// another name somewhere, since that one would lose them too.
func thaw(fd int) bool {
	const frozen = unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND // the bits of FS_IMMUTABLE_FL and FS_APPEND_FL
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil || flags&frozen == 0 {
		return false
	}
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil || (s.Mode&unix.S_IFMT == unix.S_IFREG && s.Nlink > 1) {
		return false
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags&^frozen)) == nil
}
