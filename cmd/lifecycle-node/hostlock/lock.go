// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package hostlock lets one program at a time change a host: a run that removes, moves or
// cleans it, a preparation, a join, an init, a renewal of certificates.
package hostlock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Path is the lock's, in a directory that only root can write: a lock that another user
// could take would keep root out. It is gone when nothing changes the host.
const Path = "/run/kubectl-lifecycle-host.lock"

// ErrHeld says that another program changes the host.
var ErrHeld = errors.New("another command of kubectl lifecycle changes this host")

// Take locks the host until unlock. The error is a refusal and wraps ErrHeld where another
// program has the lock. The kernel gives it back when its holder ends, however it ends.
func Take() (unlock func(), err error) {
	f, err := Open(Path)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, plan.Refuse(ErrHeld, "wait until it has ended, and run the command again")
	}
	if err != nil {
		return nil, fmt.Errorf("lock this host: %w", err)
	}
	return func() {
		_ = os.Remove(Path) // while it is held, so that no other one is removed
		_ = f.Close()
	}, nil
}

// Open opens the file of a lock, which is made if need be, and locks it until it is
// closed. The error is EWOULDBLOCK where another program holds it, or has just taken the
// file away.
func Open(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, unix.EROFS) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0) // which locks as well
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	held, err := f.Stat()
	named, gone := os.Lstat(path)
	if err != nil || gone != nil || !os.SameFile(held, named) {
		return nil, errors.Join(unix.EWOULDBLOCK, f.Close())
	}
	return f, nil
}
