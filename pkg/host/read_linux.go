// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The reasons why ReadPlain does not read a file.
var (
	// ErrNotRegular says that a path is no regular file: reading a FIFO would
	// hang for ever, and a device may never end.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge says that a file has more bytes than are read.
	ErrTooLarge = errors.New("the file is too large")
)

// ReadPlain reads a regular file of at most some bytes, and is the way to read
// what another user or program may have written, in /proc, too: it never follows a
// symbolic link in the last part of the path, never waits for a FIFO, and
// never reads without end.
func ReadPlain(path string, most int64) ([]byte, error) {
	raw, err := ReadHead(path, most+1)
	if err == nil && int64(len(raw)) > most {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, ErrTooLarge, most)
	}
	return raw, err
}

// ReadLinked is ReadPlain for a file of root's own that may lie behind symbolic
// links, as the kubelet's certificate does.
func ReadLinked(path string, most int64) ([]byte, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	return ReadPlain(real, most)
}

// ReadPlain is the function of that name for a path of the host's that leads to no other
// machine's file system.
func (l Local) ReadPlain(path string, most int64) ([]byte, error) {
	at, err := l.Reach(path)
	if err != nil {
		return nil, err
	}
	return ReadPlain(at, most)
}

// ReadLinked is the function of that name, as ReadPlain is.
func (l Local) ReadLinked(path string, most int64) ([]byte, error) {
	at, err := l.Follow(path)
	if err != nil {
		return nil, err
	}
	return ReadLinked(at, most)
}

// ReadHead is the function of that name, as ReadPlain is.
func (l Local) ReadHead(path string, most int64) ([]byte, error) {
	at, err := l.Reach(path)
	if err != nil {
		return nil, err
	}
	return ReadHead(at, most)
}

// ReadHead is ReadPlain for a file of which the beginning is enough: what is
// longer is cut.
func ReadHead(path string, most int64) ([]byte, error) {
	f, _, err := OpenPlain(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read
	return io.ReadAll(io.LimitReader(f, most))
}

// OpenPlain opens a regular file for reading, and says what it is. It follows no link in
// the last part of the path, and never waits for a FIFO.
func OpenPlain(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("read %s: %w", path, ErrNotRegular)
	}
	if err != nil {
		_ = f.Close() // nothing was read
		return nil, nil, err
	}
	return f, info, nil
}

// SyncDir makes the names in a directory durable, as fsync of a file does not:
// without it a file that was just renamed may be gone after a power cut.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a directory, and those that it is in, where they are not there, and makes
// their names durable: those of the files in it are of no use without them.
func MakeDir(dir string, mode os.FileMode) error {
	var in []string
	for at := filepath.Clean(dir); at != filepath.Dir(at); at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil {
			break
		}
		in = append(in, filepath.Dir(at))
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, at := range in {
		if err := SyncDir(at); err != nil {
			return err
		}
	}
	return nil
}
