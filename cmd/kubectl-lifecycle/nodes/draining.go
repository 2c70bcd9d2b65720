// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// drained is the machine-readable result.
type drained struct {
	// Cordoned are the nodes that were not before.
	Cordoned []string `json:"cordoned"`
	evict.Outcome
	// Surged are the Deployments that were changed for the time of the drain.
	Surged []surge.Measure `json:"surged,omitempty"`
	// Moved says where the pods that left have their successors.
	Moved []evict.Move `json:"moved,omitempty"`
	// APIRequests are all those that the command made.
	APIRequests int64 `json:"apiRequests"`
}

// draining is one drain under way.
type draining struct {
	commands
	*flow.Drain
	flags drainFlags
}

// newDraining is the drain of nodes that a command line asks for.
func (c commands) newDraining(client kubernetes.Interface, f drainFlags, nodes []string) *draining {
	r := &draining{commands: c, flags: f}
	r.Drain = &flow.Drain{
		Client: client, Nodes: nodes, Options: f.Options, Surge: surge.Mode(f.surge), By: env.Who(), Reason: f.reason,
		Warn: c.Warn, Back: "the same command with --abort",
	}
	return r
}

// take makes a decision the drain's own, and shows what a surge will do, before
// anything is changed.
func (r *draining) take(ctx context.Context, s drain.Snapshot, d drain.Decision) error {
	if err := r.Take(ctx, s, d); err != nil {
		return err
	}
	for _, m := range r.Measures {
		if m.Refused != "" {
			r.Env.Warn("%s", m)
			continue
		}
		r.Say("%s", m)
	}
	return nil
}

// revert takes back what is left of a surge of a drain that was killed before.
func (r *draining) revert(ctx context.Context) error {
	reverted, err := r.Revert(ctx)
	for _, line := range reverted {
		r.Say("%s", line)
	}
	return err
}

// do cordons and evicts, and warns of what a person would not expect.
func (r *draining) do(ctx context.Context) (drained, error) {
	progress := r.Progress()
	r.Listen = func(report plan.Report) evict.Listener { return r.listener(progress, report) }
	p := plan.Plan{Title: "Drain " + r.Title(), Steps: r.Steps()}
	if r.flags.waitForVolumes {
		p.Steps = append(p.Steps, r.VolumeStep(""))
	}
	ran, err := p.Run(ctx, progress)
	progress.Close()
	if ran.Failed == "cordon" {
		err = env.NothingChanged(err)
	}
	if progress.Live() { // elsewhere it was a line of its own
		for _, line := range r.Reverted {
			r.Say("%s", line)
		}
	}
	result := drained{Cordoned: r.Changed, Outcome: r.Outcome, Surged: r.Surged}
	if moved, err := evict.Moves(ctx, r.Client, r.Decision, r.Outcome); err == nil { // only to tell
		result.Moved = moved
	}
	result.APIRequests = r.Requests()
	r.remark()
	return result, err
}

// listener shows a picture on a terminal, lines elsewhere, and events to who
// asked for them.
func (r *draining) listener(progress *view.Progress, report plan.Report) evict.Listener {
	hear := evict.Listener{Report: report}
	if progress.Live() {
		hear = evict.Listener{Lines: progress.Picture}
	}
	if r.flags.output == "jsonl" {
		hear.Event = func(event evict.Event) {
			_ = r.Event(event) // a reader that is gone is told at the end
		}
	}
	return hear
}

// remark warns of what a person would not expect.
func (r *draining) remark() {
	for _, back := range r.Outcome.Returned {
		r.Env.Warn("%s of %s was recreated on the cordoned node %s: %s", back.Pod, back.Owners, back.Node, back.Why)
	}
	for _, pod := range r.Outcome.Arrived {
		r.Env.Warn("%s was scheduled to the node during the drain and not evicted; rerun the command to evict it", pod)
	}
	for _, line := range r.Outcome.Foreign {
		r.Env.Warn("%s", line)
	}
	for _, v := range r.Outcome.Skipped {
		if v.Reason == drain.ReasonOverdue {
			r.Env.Warn("%s was not waited for: %s", v.Pod, v.Message)
		}
	}
}

// tellDrained prints the result: on stdout what kubectl drain ends with, for a
// person the rest on stderr.
func (c commands) tellDrained(result drained, output, remark string) error {
	switch output {
	case "name":
		var names []string
		for _, n := range result.Nodes {
			names = append(names, n.Name)
		}
		return c.Names("node", names...)
	case "jsonl":
		return c.Event(map[string]any{"kind": "result", "result": result})
	}
	return c.Print(output, view.Of("DrainResult", result), func(s *view.Sheet) error {
		for _, line := range result.summary() {
			c.Say("  %s", line)
		}
		for _, n := range result.Nodes {
			_ = s.Line("node/%s drained%s", view.Name(n.Name), text.Safe(remark)) // the sheet keeps the error
		}
		return s.Err
	})
}

// summary is what happened, for a person; empty if nothing had to leave.
func (d drained) summary() []string {
	gone := len(d.Evicted) + len(d.Deleted) + len(d.Gone)
	if gone == 0 {
		return nil
	}
	out := []string{fmt.Sprintf("%s left in %s (%s)", view.CountPods(gone), view.Seconds(d.Seconds), strings.Join(d.counts(), ", "))}
	for i, m := range d.Moved {
		if i == maxSummary {
			out = append(out, fmt.Sprintf("… and %d more; -o json has all", len(d.Moved)-maxSummary))
			break
		}
		out = append(out, m.String())
	}
	if len(d.Nodes) > 1 {
		for _, n := range d.Nodes {
			out = append(out, fmt.Sprintf("node %s: %s in %s", n.Name, view.CountPods(n.Pods-n.Left), view.Seconds(n.Seconds)))
		}
	}
	for _, w := range d.Waits {
		out = append(out, fmt.Sprintf("PodDisruptionBudget %s was waited for %s%s", w.Budget, view.Seconds(w.Seconds), wavesText(w.Waves)))
	}
	return out
}

// counts are the numbers of the summary, but for those that are zero.
func (d drained) counts() (out []string) {
	for _, c := range []struct {
		n    int
		what string
	}{
		{len(d.Evicted), "evicted"}, {len(d.Deleted), "deleted"}, {len(d.Gone), "left by themselves"},
		{len(d.Skipped), text.Choose(len(d.Skipped) == 1, "stays", "stay")},
	} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if d.APIRequests > 0 {
		out = append(out, fmt.Sprintf("%s, %d of them refused by a budget", text.Count(int(d.APIRequests), "API request"), d.Refusals))
	}
	return out
}

// wavesText is ": 3 waves, of 12s, 13.1s and 11s"; empty for less than two.
func wavesText(waves []float64) string {
	const most = 6
	if len(waves) < 2 {
		return ""
	}
	if len(waves) > most {
		return fmt.Sprintf(": %d waves, of %s to %s", len(waves), view.Seconds(slices.Min(waves)), view.Seconds(slices.Max(waves)))
	}
	var words []string
	for _, w := range waves {
		words = append(words, view.Seconds(w))
	}
	last := len(words) - 1
	return fmt.Sprintf(": %d waves, of %s and %s", len(waves), strings.Join(words[:last], ", "), words[last])
}

// maxSummary is how many workloads a summary names.
const maxSummary = 10

// abortDrain takes a drain back.
func (c commands) abortDrain(ctx context.Context, client kubernetes.Interface, target drain.Target, mode env.DryRun) error {
	if mode != env.DryRunNone {
		return plan.As(plan.Misused, errors.New("--abort has no dry run: it only reverts what a drain has noted down"))
	}
	said, err := flow.AbortDrain(ctx, client, target)
	for _, line := range said {
		if err := c.Sheet().Line("%s", line); err != nil {
			return err
		}
	}
	if len(said) == 0 {
		return env.NothingChanged(err)
	}
	return err
}
