// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// comesBack bounds the wait for a host that has lost its connection: its unit ends within
	// that time, whatever happens.
	comesBack = 17 * time.Minute
	// refusedFor bounds it where the host, or the cluster, has refused, and no answer of the
	// host's has shown it at work.
	refusedFor = 2 * time.Minute
	// askAgain is the time between two questions, each of which takes a pod.
	askAgain = 5 * time.Second
)

// patience is how long a host is waited for.
func patience(cause error, seenAtWork bool) time.Duration {
	if podcarrier.NotBegun(cause) && !seenAtWork {
		return refusedFor // most probably it has not begun
	}
	return comesBack
}

// ask waits until the API server answers again and the host has ended its work, and says
// what has become of it.
func (r *Renewal) ask(ctx context.Context, h Host, cause error, report plan.Report) error {
	begun, seenAtWork := time.Now(), false
	within, cancel := context.WithTimeout(ctx, comesBack)
	defer cancel()
	report("waiting until the host has ended its work, for up to %s", patience(cause, false))
	for {
		look, last := r.look(within, h.Node)
		switch {
		case ctx.Err() != nil:
			return r.interrupted(ctx, h.Node.Name)
		case last != nil:
		case look.Renewing:
			seenAtWork, last = true, errors.New("the host is still at work")
		default:
			return judged(h, look, cause)
		}
		if time.Since(begun) >= patience(cause, seenAtWork) {
			return plan.As(plan.Broken, plan.Hint(errors.Join(cause, last), "run the same command again: it finds what is left to do"))
		}
		select {
		case <-within.Done():
		case <-time.After(askAgain):
		}
	}
}

// judged says what has become of a host that gave no answer, once it has ended its work.
func judged(h Host, look certs.Look, cause error) error {
	const again = "run the same command again: it finds what is left to do"
	stale := certs.Restarts(look)
	switch {
	case look.Unfinished:
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("%w; the renewal there was begun, and neither finished nor undone%s", cause,
			because(look)), again))
	case certs.Untouched(h.before, look, h.Names) && podcarrier.NotBegun(cause):
		return cause
	case len(h.Names) > 0 && certs.Untouched(h.before, look, h.Names):
		return plan.Hint(plan.Begun(fmt.Errorf("%w; the certificates there are as they were", cause)), again)
	}
	wrong := certs.Renewed(h.before, look, h.Names)
	if len(stale) > 0 {
		wrong = append(wrong, "an earlier certificate is in use: "+strings.Join(stale, ", "))
	}
	if look.APITrouble != "" {
		wrong = append(wrong, text.Brief(look.APITrouble))
	}
	if len(wrong) > 0 {
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("%w; %s", cause, strings.Join(wrong, "; ")), again))
	}
	return nil
}
