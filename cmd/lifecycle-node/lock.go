// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostlock"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// departTime is how long a run that has come to its last word may take to be gone: if
// the answer to it was lost, it hears first that its record is no more.
const departTime = report.GoneGrace + 10*time.Second

// lockSoon locks this host for a run, and waits for one that is about to leave:
// its spec is gone, or its last word is there.
func lockSoon(ctx context.Context) (unlock func(), err error) {
	for deadline := time.Now().Add(departTime); ; {
		if err := ownDirectory(stateDir); err != nil {
			return nil, err
		}
		unlock, err = lock(in(lockName))
		if errors.Is(err, os.ErrNotExist) {
			err = unix.EWOULDBLOCK // it took the directory along
		}
		leaves := departing() // first: its last word goes after its spec
		_, missing := peekSpec()
		held := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, hostlock.ErrHeld)
		if !held || missing == nil && !leaves || time.Now().After(deadline) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// lockAlone locks this host for work that is answered at once. A run that is there, at
// work or between two starts of its unit, is not disturbed.
func lockAlone() (unlock func(), err error) {
	if err := ownDirectory(stateDir); err != nil {
		return nil, err
	}
	unlock, err = lock(in(lockName))
	if err == nil {
		if _, err := os.Lstat(in(specFile)); !errors.Is(err, os.ErrNotExist) {
			unlock()
			return nil, plan.Refuse(errors.New("a run is on this host, between two starts of its unit"),
				"wait until it has ended; see: systemctl status %s. If it is no longer wanted, end it: systemctl disable --now %[1]s; rm %s",
				unitName, in(specFile))
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, plan.Refuse(errors.New("a run works on this host"), "wait until it has ended; see: systemctl status %s", unitName)
	}
	return unlock, err
}

// lockForUnit is lockAlone for a unit that leaves nothing behind: the lock goes with it, and
// so does its directory unless there is something else in it.
func lockForUnit() (func(), error) {
	unlock, err := lockAlone()
	if err != nil {
		return nil, err
	}
	return func() {
		_ = removeIf(in(lockName)) // a program that waits for it makes its own
		_ = os.Remove(stateDir)
		unlock()
	}, nil
}

// departing reports whether the run on this host does nothing any more but leave.
func departing() bool {
	_, err := os.Stat(in(lastWord))
	return err == nil
}

// lock takes a run's own lock, which goes with the run, and then the host's, which all
// programs take that change it.
func lock(path string) (unlock func(), err error) {
	f, err := hostlock.Open(path)
	if err != nil {
		return nil, err
	}
	free, err := hostlock.Take()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		free() // first: who gets the run's lock finds the host's free
		_ = f.Close()
	}, nil
}
