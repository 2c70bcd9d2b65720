// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// frame is a directory whose content is being removed.
type frame struct {
	name string
	// fd is -1 while it is closed; then inode and device tell it again.
	inode, device uint64
	fd            int32
	// gone says that something was removed since the directory was read from its
	// beginning, thawed that it was looked at for attributes, stuck that something below
	// it could not be removed, which was told already.
	gone, thawed, stuck bool
	names               *names
}

// names are those of a directory.
type names struct {
	// ahead were read and not looked at.
	ahead []string
	// skip are those that stay: kept, or they could not be removed.
	skip []string
}

// leave lets an entry stay.
func (f *frame) leave(name string) {
	if f.names == nil {
		f.names = &names{}
	}
	f.names.skip = append(f.names.skip, name)
	f.stuck = true
}

// next is a name that was read and is to be looked at; false if there is none.
func (f *frame) next() (string, bool) {
	for f.names != nil && len(f.names.ahead) > 0 {
		name := f.names.ahead[0]
		f.names.ahead = f.names.ahead[1:]
		if !slices.Contains(f.names.skip, name) {
			return name, true
		}
	}
	return "", false
}

// forget drops the names that were read, so that they are read again.
func (f *frame) forget() {
	f.gone = true
	switch {
	case f.names == nil:
	case f.names.skip == nil:
		f.names = nil
	default:
		f.names.ahead = nil
	}
}

// reopen opens a directory again that was closed on the way down, from one in it. It
// must be the same: the lower one may have been moved to where foreign files would be
// deleted.
func (f *frame) reopen(below int) error {
	if f.fd >= 0 {
		return nil
	}
	fd, err := unix.Openat(below, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && (stat.Ino != f.inode || uint64(stat.Dev) != f.device) { //nolint:unconvert // 32 bits elsewhere
		err = errMoved
	}
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	f.fd = int32(fd)
	return nil
}

// errMoved says that a directory was moved while what is in it was removed.
var errMoved = errors.New("it was moved in the middle of its removal")

// find is the name of a directory in this one.
func (f *frame) find(below frame, list []byte) (string, error) {
	f.forget() // it is read from its beginning, now and afterwards
	_, err := unix.Seek(int(f.fd), 0, 0)
	for err == nil {
		var n int
		if n, err = unix.ReadDirent(int(f.fd), list); errors.Is(err, unix.EINTR) {
			err = nil
			continue
		}
		if err == nil && n == 0 {
			err = errMoved
		}
		_, _, some := unix.ParseDirent(list[:max(n, 0)], -1, nil)
		for _, name := range some {
			var stat unix.Stat_t
			if unix.Fstatat(int(f.fd), name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && stat.Ino == below.inode &&
				uint64(stat.Dev) == below.device { //nolint:unconvert // 32 bits elsewhere
				_, err := unix.Seek(int(f.fd), 0, 0)
				return name, err
			}
		}
	}
	return "", err
}
