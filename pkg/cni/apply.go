// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// takeOver is how long another client's unfinished work on a release is left to
// it. Applying a network's chart takes a few seconds.
const takeOver = time.Minute

// apply makes the release so, after taking over one that was left half-made.
func apply(ctx context.Context, releases release.Store, inst Installation, report plan.Report) error {
	if inst.prior.Status.Unfinished() {
		if err := unlock(ctx, releases, inst, report); err != nil {
			return err
		}
	}
	report("applying %s", text.Count(len(inst.Objects), "object"))
	if err := releases.Apply(ctx, inst.desired()); err != nil {
		err = fmt.Errorf("apply release %s in namespace %s: %w", inst.Release, inst.Namespace, err)
		return plan.Hint(err, "the release may be installed in part and recorded as failed; run the same command again to resume it. To undo "+
			"it: helm uninstall %s -n %s", text.Quote(inst.Release), text.Quote(inst.Namespace))
	}
	if err := context.Cause(ctx); err != nil {
		err = fmt.Errorf("%w after release %s was applied in full", err, inst.Release)
		return plan.Hint(err, "run the same command again to wait until the network works")
	}
	return nil
}

// unlock leaves unfinished work to the client that does it for a minute, and then takes
// it for abandoned: Helm's own mark of it never ends (helm#8987).
func unlock(ctx context.Context, releases release.Store, inst Installation, report plan.Report) error {
	p := inst.prior
	if left := min(takeOver, takeOver-time.Since(p.Updated)); left > 0 {
		report("release %s is %s since %s, perhaps by another program: waiting %s before taking it over", p.Name, p.Status,
			p.Updated.Format(time.TimeOnly), left.Round(time.Second))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(left):
		}
	}
	now, err := releases.Find(ctx, p.Namespace, p.Name)
	if err != nil {
		return fmt.Errorf("find release %s in namespace %s: %w", p.Name, p.Namespace, err)
	}
	if now.Revision != p.Revision || now.Status != p.Status {
		return plan.Refuse(fmt.Errorf("another program has just worked on release %s (revision %d, %s)", p.Name, now.Revision, now.Status),
			"nothing was changed here; run this again to see what is left to do")
	}
	if err := releases.Unlock(ctx, p); err != nil {
		return fmt.Errorf("take over release %s: %w", p.Name, err)
	}
	return nil
}
