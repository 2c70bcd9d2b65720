// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// lockFile is in a directory that only root can write: a lock that another user could
	// take would keep root out.
	lockFile = "/run/kubectl-lifecycle-prep.lock"
	// runUnit is the unit of a run that removes or moves this host.
	runUnit = "kubectl-lifecycle.service"
)

// errHeld says that another program of this kind changes the host.
var errHeld = errors.New("another program prepares or joins this host")

// aloneSoon is alone, and waits for a program that is at it already: one whose connection
// was cut goes on to its end, and what it has made is then found.
func aloneSoon(ctx context.Context, limit time.Duration) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		if unlock, err = alone(ctx); !errors.Is(err, errHeld) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-again.C:
		}
	}
}

// alone has this program alone change the host until unlock: not beside another one of
// its kind (of a second laptop), nor beside a run that cleans the host.
func alone(ctx context.Context) (unlock func(), err error) {
	unit, err := host.Local{}.Unit(ctx, runUnit)
	if err != nil && !errors.Is(err, host.ErrNoSystemd) {
		return nil, err
	}
	if unit.Running() {
		return nil, plan.Refuse(errors.New("a run works on this host"), "wait until it has ended; see: systemctl status %s", runUnit)
	}
	f, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock this host: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	held, heldErr := f.Stat()
	named, namedErr := os.Lstat(lockFile)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK), err == nil && namedErr != nil, err == nil && heldErr == nil && !os.SameFile(held, named):
		// In the last two cases the one who held it has just taken it away.
		err = plan.Refuse(errHeld, "wait until it has ended, and run the command again")
	case err == nil:
		err = heldErr
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		_ = os.Remove(lockFile) // while it is held, so that no other one is removed
		_ = f.Close()
	}, nil
}
