// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// comesBack bounds the wait for a host that has lost its connection: its unit ends within
	// that time, whatever happens.
	comesBack = 17 * time.Minute
	// refusedFor bounds it where the host, or the cluster, has refused.
	refusedFor = 2 * time.Minute
	// askAgain is the time between two questions, each of which takes a pod.
	askAgain = 5 * time.Second
)

// ask waits until the API server answers again and the host has ended its work, and says
// what has become of it.
func (r *Renewal) ask(ctx context.Context, h Host, cause error, report plan.Report) error {
	most := comesBack
	if plan.ClassOf(cause) == plan.Refused {
		most = refusedFor // most probably it has not begun
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	report("waiting until the host has ended its work, for up to %s", most)
	var last error
	for {
		look, err := certcheck.Ask(ctx, r.cluster, h.Node, r.facts.Dir)
		switch {
		case err != nil:
			last = err
		case look.Renewing:
			last = errors.New("the host is still at work")
		default:
			return judged(h, look, cause)
		}
		select {
		case <-ctx.Done():
			return plan.As(plan.Broken, plan.Hint(errors.Join(cause, last), "run the same command again: it finds what is left to do"))
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
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("%w; the renewal there was begun, and neither finished nor taken back", cause), again))
	case certs.Untouched(h.before, look, h.Names) && plan.ClassOf(cause) == plan.Refused:
		return cause
	case certs.Untouched(h.before, look, h.Names):
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
