// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"path/filepath"
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
