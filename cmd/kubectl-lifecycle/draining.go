// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/detach"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
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
	*env
	client   kubernetes.Interface
	flags    drainFlags
	decision drain.Decision
	result   drained
	// conditions is true once the nodes say that they are being drained.
	conditions bool
	surge      surging
}

// do cordons and evicts, and warns of what a person would not expect.
func (r *draining) do(ctx context.Context) (drained, error) {
	title := r.decision.Title()
	progress := r.progress()
	p := plan.Plan{Title: "Drain " + title, Steps: []plan.Step{
		{ID: "cordon", Title: "Cordon " + title, Do: r.cordon, Needed: func(context.Context) (bool, error) {
			return len(r.decision.ToCordon()) > 0, nil
		}},
		{ID: "drain", Title: fmt.Sprintf("Have %s leave %s", view.CountPods(len(r.decision.ToEvict())), title), Do: func(ctx context.Context, report plan.Report) error {
			return r.evict(ctx, r.listener(progress, report))
		}},
	}}
	if r.flags.waitForVolumes {
		p.Steps = append(p.Steps, plan.Step{ID: "volumes", Title: "Wait until volumes are detached from " + title, Do: r.volumes})
	}
	_, err := p.Run(ctx, progress)
	progress.Close()
	err = errors.Join(err, r.endSurge(ctx))
	if r.conditions {
		// Told even after Ctrl-C: whoever reads it must not believe that a drain goes on.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stage := drain.Drained
		if err != nil {
			stage = drain.Stopped
		}
		r.mark(ctx, stage)
	}
	out := r.result.Outcome
	if began := r.surge.Began; !began.IsZero() && began.Before(out.Began) {
		out.Began = began // successors came before anything left
	}
	if moved, err := evict.Moves(ctx, r.client, r.decision, out); err == nil { // only to tell
		r.result.Moved = moved
	}
	r.result.APIRequests = r.requests.Load()
	r.remark()
	return r.result, err
}

func (r *draining) cordon(ctx context.Context, _ plan.Report) (err error) {
	note := drain.Note{By: who(), At: time.Now().UTC(), Reason: r.flags.reason, Drain: true}
	r.result.Cordoned, err = drain.Cordon(ctx, r.client, r.decision, note)
	return nothingChanged(err)
}

func (r *draining) evict(ctx context.Context, hear evict.Listener) (err error) {
	names := r.decision.Names()
	if len(r.result.Cordoned) > 0 {
		if r.decision, err = drain.Again(ctx, r.client, drain.Target{Names: names}, r.flags.Options); err != nil {
			return stillCordoned(err, names)
		}
	}
	r.conditions = true
	r.mark(ctx, drain.Draining)
	if err := r.beginSurge(ctx, &hear); err != nil {
		return stillCordoned(err, names)
	}
	r.result.Outcome, err = evict.Evict(ctx, r.client, r.decision, r.flags.Options, hear)
	return stillCordoned(err, names)
}

// volumes has what is left of the timeout.
func (r *draining) volumes(ctx context.Context, report plan.Report) error {
	timeout := r.flags.Timeout
	if timeout > 0 {
		timeout = max(timeout-time.Duration(r.result.Seconds*float64(time.Second)), time.Second)
	}
	return stillCordoned(detach.Await(ctx, r.client, r.decision, timeout, report), r.decision.Names())
}

// mark sets the nodes' conditions, a courtesy to others: that it fails is said.
func (r *draining) mark(ctx context.Context, stage drain.Stage) {
	if err := drain.Mark(ctx, r.client, r.decision.Names(), stage); err != nil {
		r.warn("%v", err)
		r.conditions = false
	}
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
			_ = r.event(event) // a reader that is gone is told at the end
		}
	}
	return hear
}

// remark warns of what a person would not expect.
func (r *draining) remark() {
	for _, back := range r.result.Returned {
		r.warn("%s of %s came back to the cordoned node %s: %s", back.Pod, back.Owners, back.Node, back.Why)
	}
	for _, pod := range r.result.Arrived {
		r.warn("%s came to the node meanwhile and was left alone; the same command again takes it in", pod)
	}
	for _, v := range r.result.Skipped {
		if v.Reason == drain.ReasonOverdue {
			r.warn("%s was not waited for: %s", v.Pod, v.Message)
		}
	}
}

// tellDrained prints the result: on stdout what kubectl drain ends with, for a
// person the rest on stderr.
func (e *env) tellDrained(result drained, output, remark string) error {
	switch output {
	case "name":
		var names []string
		for _, n := range result.Nodes {
			names = append(names, n.Name)
		}
		return e.names("node", names...)
	case "jsonl":
		return e.event(map[string]any{"kind": "result", "result": result})
	}
	return e.print(output, result, func(s *view.Sheet) error {
		for _, line := range result.summary() {
			e.say("  %s", line)
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
	out := []string{fmt.Sprintf("%s left in %s: %d evicted, %d deleted, %d went without; %d stay; %d API requests, %d of them refused by a budget",
		view.CountPods(gone), view.Seconds(d.Seconds), len(d.Evicted), len(d.Deleted), len(d.Gone), len(d.Skipped), d.APIRequests, d.Refusals)}
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
