// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// surging is what this drain does for Deployments whose budget never opens.
type surging struct {
	flow.Surging
	// begun is true once there may be something to take back.
	begun bool
}

// planSurge decides about a surge and shows it, before anything is changed.
func (r *draining) planSurge(ctx context.Context, s drain.Snapshot) error {
	if err := r.surge.Decide(ctx, s, r.decision, surge.Mode(r.flags.surge)); err != nil {
		return err
	}
	for _, m := range r.surge.Measures {
		if m.Refused != "" {
			r.warn("%s", m)
			continue
		}
		r.say("%s", m)
	}
	return nil
}

// beginSurge begins what was decided.
func (r *draining) beginSurge(ctx context.Context, hear *evict.Listener) error {
	r.surge.begun = true
	if err := r.surge.Begin(ctx, hear); err != nil {
		return err
	}
	r.result.Surged = r.surge.Measures
	return nil
}

// endSurge takes back what is left, of this drain and of one that was killed
// before.
func (r *draining) endSurge(ctx context.Context) error {
	if !r.surge.begun {
		return nil
	}
	said, err := r.surge.End(ctx, r.decision.Names())
	for _, line := range said {
		r.say("%s", line)
	}
	return err
}

// abortDrain takes a drain back.
func (e *env) abortDrain(ctx context.Context, client kubernetes.Interface, target drain.Target, mode dryRun) error {
	if mode != dryRunNone {
		return plan.As(plan.Misused, errors.New("--abort has no dry run: it only takes back what a drain has noted down"))
	}
	said, err := flow.AbortDrain(ctx, client, target)
	for _, line := range said {
		if err := e.sheet().Line("%s", line); err != nil {
			return err
		}
	}
	if len(said) == 0 {
		return nothingChanged(err)
	}
	return err
}
