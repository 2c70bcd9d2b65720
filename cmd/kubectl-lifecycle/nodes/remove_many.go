// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// removeMany removes several nodes.
func (c commands) removeMany(ctx context.Context, args []string, f removeFlags) error {
	mode, err := f.validate()
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr); err != nil {
		return err
	}
	if f.nodeLost {
		return env.Misused("give up hosts one at a time: --node-lost takes one node")
	}
	cluster, err := c.Cluster(f.RunnerFlags)
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	names := target.Names
	if f.selector != "" {
		names, err = flow.Select(ctx, cluster, f.selector)
	}
	var batch *flow.Batch
	if err == nil {
		batch, err = flow.PrepareBatch(ctx, cluster, names, f.options())
	}
	if errors.Is(err, kubenode.ErrNotFound) && f.missingOK {
		c.Say("none of these nodes exists: nothing to do")
		return nil
	}
	if err != nil {
		return env.NothingChanged(err)
	}
	if len(batch.Missing) > 0 && !f.missingOK {
		c.Warn("no such nodes (removed already?): %s", strings.Join(batch.Missing, ", "))
	}
	for _, u := range batch.Unfinished() {
		c.Say("Finish the removal of node %s: its Node is gone; left in the API: %s", u.Node, view.CountPods(u.Pods))
	}
	for _, warning := range batch.Warnings {
		c.Warn("%s", warning)
	}
	if mode != env.DryRunNone {
		return c.rehearse(ctx, f.output, true, rehearsals(batch, mode)...)
	}
	c.showMany(batch)
	if err := c.confirmMany(batch, f); err != nil {
		return err
	}
	return c.runMany(ctx, batch, f)
}

// confirmMany asks, unless --yes was given or there is nothing but to finish.
func (c commands) confirmMany(batch *flow.Batch, f removeFlags) error {
	if f.yes || len(batch.All()) == 0 {
		return nil
	}
	return c.Confirm(fmt.Sprintf("This takes %s out of the cluster and cleans %s.", text.Count(len(batch.All()), "node"),
		text.Choose(len(batch.All()) == 1, "its host", "their hosts")),
		fmt.Sprint(len(batch.All())))
}

// runMany removes them and says what became of each.
func (c commands) runMany(ctx context.Context, batch *flow.Batch, f removeFlags) error {
	progress := c.Progress()
	batch.Watch = progress
	outcomes := batch.Run(ctx)
	progress.Close()
	for _, back := range batch.Returned {
		c.Warn("%s of %s was recreated on the cordoned node %s (%s) and ended with the host", back.Pod, back.Owners, back.Node, back.Why)
	}
	for _, r := range batch.All() {
		for _, line := range r.Held {
			c.Warn("%s", line)
		}
	}
	err := errors.Join(c.tellMany(outcomes, f.output), failed(ctx, outcomes))
	if err == nil {
		err = manyRefer(outcomes)
	}
	return err
}

// manyRefer is stillRefers for several nodes.
func manyRefer(outcomes []flow.NodeResult) error {
	var errs []error
	for _, o := range outcomes {
		errs = append(errs, stillRefers(o.Node, o.Verdict))
	}
	if err := errors.Join(errs...); err != nil {
		return plan.As(plan.Found, plan.Hint(err, "look at each on its host, and delete there what is not needed"))
	}
	return nil
}

// showMany writes what will be done to stderr.
func (c commands) showMany(batch *flow.Batch) {
	c.Say("Remove %s:", text.Count(len(batch.All()), "node"))
	for i, r := range batch.Workers {
		c.Say("  %s: %s; wave %d", r.Node.Name, leave(r), i/max(batch.MaxParallel, 1)+1)
	}
	for _, r := range batch.ControlPlanes {
		c.Say("  %s: %s; a control plane, by itself", r.Node.Name, leave(r))
	}
	for _, r := range batch.All() {
		for _, warning := range care(r) {
			c.Warn("%s: %s", r.Node.Name, warning)
		}
	}
}

// leave says how many pods leave a node.
func leave(r *flow.Removal) string {
	n := len(r.Drain.ToEvict())
	return view.CountPods(n) + text.Choose(n == 1, " leaves", " leave")
}

// rehearsals are what a dry run shows of each node.
func rehearsals(batch *flow.Batch, mode env.DryRun) []rehearsed {
	var all []rehearsed
	for _, r := range batch.All() {
		all = append(all, rehearsed{r, r.Plan(), mode, "removed"})
	}
	return all
}

// tellMany prints one table of what became of the nodes.
func (c commands) tellMany(outcomes []flow.NodeResult, output string) error {
	if output == "name" {
		var names []string
		for _, o := range outcomes {
			if o.Removed {
				names = append(names, o.Node)
			}
		}
		return c.Names("node", names...)
	}
	return c.Print(output, view.Of("NodeOutcome", outcomes), func(s *view.Sheet) error {
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
				row[4] = view.CountPods(len(o.Lingering)) + " of it still in the API"
			}
			rows = append(rows, row)
			c.tellVerdict(o.Verdict)
		}
		return s.Table(rows)
	})
}

// failed is the error of a removal in which not every node was removed.
func failed(ctx context.Context, outcomes []flow.NodeResult) error {
	left, hints := 0, []string{}
	var lingering []departure.Lingering
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
		return departure.StillThere(lingering)
	}
	err := plan.Hint(fmt.Errorf("%d of %d nodes were not removed", left, len(outcomes)), "%s",
		strings.Join(append(hints, "run the same command again to continue"), "\n"))
	if ctx.Err() != nil {
		return plan.As(plan.ClassOf(ctx.Err()), err)
	}
	return err
}
