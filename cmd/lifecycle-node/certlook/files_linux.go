// SPDX-License-Identifier: Apache-2.0

package certlook

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Files are those of a host, below a root. A pipe is opened without waiting for its other
// end.
type Files struct{ Root string }

// Open opens a file for reading.
func (f Files) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	file, err := os.OpenFile(f.path(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Stat says what a path leads to.
func (f Files) Stat(name string) (fs.FileInfo, error) { return os.Stat(f.path(name)) }

func (f Files) path(name string) string { return filepath.Join("/", f.Root, name) }
