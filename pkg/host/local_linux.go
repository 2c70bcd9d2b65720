// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Local is this machine; the zero value is the machine itself.
type Local struct {
	// Root is prefixed to every path; empty means "/".
	Root string
	// Proc is the process whose mounts are the host's; empty means /proc/1.
	Proc string
	// Exec runs commands; nil means really. A test's fake.
	Exec func(ctx context.Context, cmd Command) (string, error)
}

// Path is where a path of the host lies for this program.
func (l Local) Path(path string) string { return filepath.Join("/", l.Root, path) }

// proc is the process whose mounts are the host's.
func (l Local) proc() string {
	if l.Proc == "" {
		return "/proc/1"
	}
	return l.Proc
}

// Real is a path of the host without symbolic links. One that leads out of Root is an
// error.
func (l Local) Real(path string) (string, error) {
	real, err := filepath.EvalSymlinks(l.Path(path))
	if err != nil {
		return "", err
	}
	root := l.Path("/")
	if root == "/" {
		return real, nil
	}
	if real != root && !Below(real, root) {
		return "", fmt.Errorf("%s leads out of %s: %w", path, root, fs.ErrInvalid)
	}
	return filepath.Join("/", strings.TrimPrefix(real, root)), nil
}
