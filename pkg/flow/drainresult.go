// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// both is the outcome of two rounds of a drain: what left in any of them, and what is
// there after the second. It is pure.
func both(a, b evict.Outcome) evict.Outcome {
	if len(a.Nodes) == 0 {
		return b
	}
	out := b
	out.Evicted, out.Deleted, out.Gone = pods(a.Evicted, b.Evicted), pods(a.Deleted, b.Deleted), pods(a.Gone, b.Gone)
	out.Returned = slices.Concat(a.Returned, b.Returned)
	out.Requests, out.Refusals, out.Seconds = a.Requests+b.Requests, a.Refusals+b.Refusals, a.Seconds+b.Seconds
	if b.Began.IsZero() || !a.Began.IsZero() && a.Began.Before(b.Began) {
		out.Began = a.Began
	}
	out.Nodes = nil
	for _, n := range b.Nodes {
		for _, before := range a.Nodes {
			if before.Name == n.Name {
				n.Pods, n.Seconds = n.Pods+before.Pods-before.Left, n.Seconds+before.Seconds
			}
		}
		out.Nodes = append(out.Nodes, n)
	}
	out.Waits = waits(a.Waits, b.Waits)
	return out
}

// pods are those of two lists, sorted as each of them is.
func pods(a, b []drain.Pod) []drain.Pod {
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y drain.Pod) int {
		return cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Name, y.Name))
	})
	return out
}

// waits adds up what was waited for, the longest first.
func waits(a, b []evict.Wait) []evict.Wait {
	out := slices.Clone(a)
	for _, w := range b {
		i := slices.IndexFunc(out, func(o evict.Wait) bool { return o.Budget == w.Budget })
		if i < 0 {
			out = append(out, w)
			continue
		}
		out[i].Seconds += w.Seconds
		out[i].Waves = slices.Concat(out[i].Waves, w.Waves)
	}
	slices.SortStableFunc(out, func(x, y evict.Wait) int { return cmp.Compare(y.Seconds, x.Seconds) })
	return out
}

// lookForOthers leaves in the outcome by which signs another tool has gone to work on the
// nodes since they were shown: conditions and the like that the drain has seen, and locks
// that DaemonSets hold now. It is a courtesy.
func (d *Drain) lookForOthers(ctx context.Context, shown []string) {
	now := append(d.Decision.Foreign(), d.Outcome.Foreign...)
	if len(d.Decision.Skipped()) > 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markLimit)
		defer cancel()
		locks, _ := drain.ReadLocks(ctx, d.Client, d.Nodes) // who may not is told nothing
		for _, lock := range locks {
			if said := text.Line(lock.String()); !strings.Contains(strings.Join(now, "\n"), said) {
				now = append(now, "node "+lock.Node+": "+said)
			}
		}
	}
	d.Outcome.Foreign = slices.DeleteFunc(now, func(line string) bool {
		_, said, _ := strings.Cut(line, ": ")
		return strings.Contains(strings.Join(shown, "\n"), said)
	})
}

// mark says to other tools, by conditions of the nodes, what is done to them. It is a
// courtesy: that it fails is said, and nothing more; and it is told even after Ctrl-C.
func (d *Drain) mark(ctx context.Context, stage drain.Stage, report plan.Report) {
	d.markNodes(ctx, d.Nodes, stage, report)
}

// markNodes does it for some of them.
func (d *Drain) markNodes(ctx context.Context, nodes []string, stage drain.Stage, report plan.Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markLimit)
	defer cancel()
	err := drain.Mark(ctx, d.Client, nodes, stage)
	if err == nil || d.mute {
		return
	}
	d.mute = true
	if d.Warn != nil {
		report = d.Warn
	}
	report("%v", err)
}

// stillCordoned adds to an error's way out the way back.
func (d *Drain) stillCordoned(err error) error {
	const most = 20
	if err == nil || d.GivenUp {
		return err
	}
	back := d.Back
	if back == "" {
		back = "uncordon them"
	}
	back = fmt.Sprintf("still cordoned: %s; run the command again to continue, or abort it: %s", text.Count(len(d.Nodes), "node"), back)
	if len(d.Nodes) <= most {
		back = fmt.Sprintf("still cordoned: %s; to have it as it was: kubectl lifecycle uncordon %s", strings.Join(d.Nodes, " "),
			text.Command(d.Nodes...))
	}
	if hint := plan.HintOf(err); hint != "" {
		back = hint + "\n" + back
	}
	return plan.Hint(err, "%s", back)
}
