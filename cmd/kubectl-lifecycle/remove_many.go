// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// removeMany removes several nodes.
func (e *env) removeMany(ctx context.Context, args []string, f removeFlags) error {
	mode, err := f.validate()
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr); err != nil {
		return err
	}
	if f.nodeLost {
		return misused("give up hosts one at a time: --node-lost takes one node")
	}
	cluster, err := e.cluster(f.runnerFlags)
	if err != nil {
		return err
	}
	ctx, cancel := f.limited(ctx)
	defer cancel()
	names := target.Names
	if f.selector != "" {
		names, err = flow.Select(ctx, cluster, f.selector)
	}
	var many *flow.Many
	if err == nil {
		many, err = flow.PrepareMany(ctx, cluster, names, f.options())
	}
	if errors.Is(err, flow.ErrNoNode) && f.missingOK {
		e.say("none of these nodes exists: nothing to do")
		return nil
	}
	if err != nil {
		return nothingChanged(err)
	}
	if len(many.Missing) > 0 && !f.missingOK {
		e.warn("no such nodes (removed already?): %s", strings.Join(many.Missing, ", "))
	}
	for _, u := range many.Unfinished() {
		e.say("Finish the removal of node %s, which is gone: %s of it are left", u.Node, view.CountPods(u.Pods))
	}
	if mode != dryRunNone {
		return e.rehearse(ctx, f.output, true, rehearsals(many, mode)...)
	}
	e.showMany(many)
	if err := e.confirmMany(many, f); err != nil {
		return err
	}
	return e.runMany(ctx, many, f)
}

// confirmMany asks, unless --yes was given or there is nothing but to finish.
func (e *env) confirmMany(many *flow.Many, f removeFlags) error {
	if f.yes || len(many.All()) == 0 {
		return nil
	}
	return e.confirm(fmt.Sprintf("This takes %d nodes out of the cluster and cleans their hosts.", len(many.All())), fmt.Sprint(len(many.All())))
}

// runMany removes them and says what became of each.
func (e *env) runMany(ctx context.Context, many *flow.Many, f removeFlags) error {
	progress := e.progress()
	many.Watch = progress
	outcomes := many.Run(ctx)
	progress.Close()
	for _, back := range many.Returned {
		e.warn("%s of %s came back to the cordoned node %s (%s) and ended with it", back.Pod, back.Owners, back.Node, back.Why)
	}
	err := errors.Join(e.tellMany(outcomes, f.output), failed(ctx, outcomes))
	if err == nil {
		err = manyRefer(outcomes)
	}
	return err
}

// manyRefer is stillRefers for several nodes.
func manyRefer(outcomes []flow.RemoveOutcome) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, stillRefers(o.Node, o.Verdict))
	}
	if err := errors.Join(errs...); err != nil {
		return plan.As(plan.Found, plan.Hint(err, "look at each on its host, and delete it there if nobody needs it"))
	}
	return nil
}

// showMany writes what will be done to stderr.
func (e *env) showMany(many *flow.Many) {
	e.say("Remove %d nodes:", len(many.All()))
	for i, r := range many.Workers {
		e.say("  %s: %s leave; wave %d", r.Node.Name, view.CountPods(len(r.Drain.ToEvict())), i/max(many.MaxParallel, 1)+1)
	}
	for _, r := range many.ControlPlanes {
		e.say("  %s: %s leave; a control plane, alone", r.Node.Name, view.CountPods(len(r.Drain.ToEvict())))
	}
	for _, r := range many.All() {
		for _, warning := range care(r) {
			e.warn("%s: %s", r.Node.Name, warning)
		}
	}
}

// rehearsals are what a dry run shows of each node.
func rehearsals(many *flow.Many, mode dryRun) []rehearsed {
	var all []rehearsed
	for _, r := range many.All() {
		all = append(all, rehearsed{r, r.Plan(), mode, "removed"})
	}
	return all
}

// tellMany prints one table of what became of the nodes.
func (e *env) tellMany(outcomes []flow.RemoveOutcome, output string) error {
	if output == "name" {
		var names []string
		for _, o := range outcomes {
			if o.Removed {
				names = append(names, o.Node)
			}
		}
		return e.names("node", names...)
	}
	return e.print(output, outcomes, func(s *view.Sheet) error {
		rows := [][]string{{"NODE", "OUTCOME", "HOST", "TIME", "WHY"}}
		for _, o := range outcomes {
			row := []string{view.Name(o.Node), "removed", string(o.Verdict.State), view.Seconds(o.Seconds), ""}
			switch {
			case o.Error != "":
				why, _, _ := strings.Cut(o.Error, "\n")
				row[1], row[4] = "failed", why
			case !o.Removed:
				row[1], row[3] = "not begun", ""
			case len(o.Lingering) > 0:
				row[4] = view.CountPods(len(o.Lingering)) + " of it stay in the API"
			}
			rows = append(rows, row)
			e.tellVerdict(o.Verdict)
		}
		return s.Table(rows)
	})
}

// failed is the error of a removal in which not every node was removed.
func failed(ctx context.Context, outcomes []flow.RemoveOutcome) error {
	left, hints := 0, []string{}
	var lingering []flow.Lingering
	for _, o := range outcomes {
		lingering = append(lingering, o.Lingering...)
		if !o.Removed {
			left++
			if o.Hint != "" {
				hints = append(hints, o.Node+": "+o.Hint)
			}
		}
	}
	if left == 0 {
		return flow.StillThere(lingering)
	}
	err := plan.Hint(fmt.Errorf("%d of %d nodes were not removed", left, len(outcomes)), "%s", strings.Join(append(hints, "the same command again goes on"), "\n"))
	if ctx.Err() != nil {
		return plan.As(plan.ClassOf(ctx.Err()), err)
	}
	return err
}
