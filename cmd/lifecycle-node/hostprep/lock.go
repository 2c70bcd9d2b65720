// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"context"
	"errors"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostlock"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// runUnit is the unit of a run that removes or moves this host.
const runUnit = "kubectl-lifecycle.service"

// aloneSoon is alone, and waits for a program that is at it already: one whose connection
// was cut goes on to its end, and what it has made is then found. It says whether it had to
// wait.
func aloneSoon(ctx context.Context, limit time.Duration) (unlock func(), waited bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		if unlock, err = alone(ctx); !errors.Is(err, hostlock.ErrHeld) {
			return unlock, waited, err
		}
		waited = true
		select {
		case <-ctx.Done():
			return nil, waited, err
		case <-again.C:
		}
	}
}

// alone has this program alone change the host until unlock. A run that waits to be
// started again is not disturbed, although it holds no lock then.
func alone(ctx context.Context) (unlock func(), err error) {
	unlock, err = hostlock.Take()
	if err != nil {
		return nil, err
	}
	unit, err := host.Local{}.Unit(ctx, runUnit)
	switch {
	case err != nil && !errors.Is(err, host.ErrNoSystemd):
	case unit.Running():
		err = plan.Refuse(errors.New("a run works on this host"), "wait until it has ended; see: systemctl status %s", runUnit)
	default:
		return unlock, nil
	}
	unlock()
	return nil, err
}
