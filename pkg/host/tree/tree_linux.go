// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"

	"golang.org/x/sys/unix"
)

// ErrMounted says that something is mounted below what was to be removed.
var ErrMounted = errors.New("something is mounted there")

// Fence is how a file below a directory is opened: never out of it, never
// through a symbolic link, never into another mount, a bind mount of the same
// file system included (Linux 5.6).
const Fence = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV

// thawAt thaws a file in an open directory, in the same mount.
func thawAt(dir int, name string) bool {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: Fence}
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
