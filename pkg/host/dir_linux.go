// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/tree"
)

// Dir is an open directory. What is done in it is done there, whatever its path leads to
// by then: it is the way into directories that others than root may write to.
type Dir struct {
	fd   int
	path string
}

// File is which file one has read: its inode, and whose it is.
type File struct {
	Device, Inode uint64
	Owner         uint32
}

// ErrReplaced says that a file is not the one that was read.
var ErrReplaced = errors.New("it is another file by now")

// OpenDir opens a directory of the host. Symbolic links on the way are all right if they
// are there before; one that is put there in the middle is an error.
func (l Local) OpenDir(path string) (*Dir, error) {
	real, err := l.Real(path)
	if err != nil {
		return nil, err
	}
	root, err := unix.Open(l.Path("/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(root) }()
	below, err := filepath.Rel("/", real)
	if err != nil {
		return nil, err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Openat2(root, below, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // before Linux 5.6
		fd, err = unix.Openat(root, below, flags, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{fd: fd, path: path}, nil
}

// Close closes it.
func (d *Dir) Close() { _ = unix.Close(d.fd) } // it was read

// Dir opens a directory in it: not through a symbolic link, nor another mount.
func (d *Dir) Dir(name string) (*Dir, error) {
	fd, err := tree.OpenBeneath(d.fd, name)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(d.path, name), Err: err}
	}
	return &Dir{fd: fd, path: filepath.Join(d.path, name)}, nil
}

// Owner is the user whose it is.
func (d *Dir) Owner() (uint32, error) {
	var stat unix.Stat_t
	err := unix.Fstat(d.fd, &stat)
	return stat.Uid, err
}

// Read reads a regular file in it, of at most some bytes, as ReadPlain does.
func (d *Dir) Read(name string, most int64) ([]byte, File, error) {
	path := filepath.Join(d.path, name)
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Openat2(d.fd, name, &unix.OpenHow{Flags: flags, Resolve: tree.Fence})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // before Linux 5.6
		fd, err = unix.Openat(d.fd, name, flags, 0)
	}
	if err != nil {
		return nil, File{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer func() { _ = f.Close() }() // it was read
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, File{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, File{}, fmt.Errorf("read %s: %w", path, ErrNotRegular)
	}
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("read %s: %w: more than %d bytes", path, ErrTooLarge, most)
	}
	return raw, fileOf(stat), err
}

// Remove deletes a file in it, if it is still the one that was read. It never deletes a
// directory.
func (d *Dir) Remove(name string, read File) error {
	path := filepath.Join(d.path, name)
	var stat unix.Stat_t
	err := unix.Fstatat(d.fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && fileOf(stat) != read {
		err = ErrReplaced
	}
	if err == nil {
		err = unix.Unlinkat(d.fd, name, 0)
	}
	if err != nil {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

func fileOf(stat unix.Stat_t) File {
	return File{Device: uint64(stat.Dev), Inode: stat.Ino, Owner: stat.Uid} //nolint:unconvert // 32 bits elsewhere
}
