// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/wave"
)

// batchRun is a batch under way.
type batchRun struct {
	*Batch
	// removals are by the names of their nodes.
	removals map[string]*Removal
	// cordoned are the nodes that were not cordoned before.
	cordoned map[string]bool
}

// Run removes the nodes and returns what became of each, in their order. One that
// fails keeps neither the others of its wave nor the next waves from going on; it
// stays as a removal of it alone would have left it.
func (b *Batch) Run(ctx context.Context) []NodeResult {
	if b.Watch == nil {
		b.Watch = plan.Discard
	}
	b.Watch = naming{b.Watch}
	r := batchRun{Batch: b, removals: map[string]*Removal{}, cordoned: map[string]bool{}}
	for _, removal := range b.All() {
		removal.Watch = b.Watch
		r.removals[removal.Node.Name] = removal
	}
	table := r.rollout().Run(ctx)
	list := b.finish(ctx)
	for _, row := range table {
		list = append(list, r.result(row))
	}
	return list
}

// rollout is the work: all workers are cordoned before the first is drained, so that
// no pod goes from one to the next.
func (r batchRun) rollout() wave.Rollout {
	return wave.Rollout{Groups: []wave.Group{
		{
			Nodes: names(r.Workers), Limit: r.MaxParallel, Before: r.cordon,
			Stages: []wave.Stage{{Each: r.start}, {All: r.drain}, {Each: r.clean}},
		},
		{Nodes: names(r.ControlPlanes), Limit: 1, Stages: []wave.Stage{{Each: r.whole}}},
	}}
}

func names(removals []*Removal) (out []string) {
	for _, r := range removals {
		out = append(out, r.Node.Name)
	}
	return out
}

// result is a row of the table as the machine-readable result has it.
func (r batchRun) result(row wave.Outcome) NodeResult {
	removal := r.removals[row.Node]
	out := NodeResult{Node: row.Node, Removed: row.State == wave.Done, Verdict: removal.Verdict, Lingering: removal.Lingering,
		Seconds: row.Took.Seconds()}
	switch {
	case row.Err != nil:
		out.Error, out.Hint = row.Err.Error(), plan.HintOf(row.Err)
	case row.State == wave.NotBegun && r.cordoned[row.Node]:
		out.Hint = "not begun, and still cordoned; to uncordon it: kubectl lifecycle uncordon " + text.Quote(row.Node)
	}
	return out
}

// cordon cordons workers; one whose host is worked on already is past that.
func (r batchRun) cordon(ctx context.Context, nodes []string) (errs map[string]error) {
	nodes = slices.DeleteFunc(nodes, func(node string) bool { return r.removals[node].hostUnderWay() })
	if len(nodes) == 0 {
		return nil
	}
	d := r.removals[nodes[0]].drain()
	d.Cordoned = nil // there is no record yet
	step := plan.Step{ID: "cordon", Title: "Cordon " + text.Count(len(nodes), "node"), Do: func(ctx context.Context, _ plan.Report) error {
		errs = d.cordonEach(ctx, nodes)
		return nil
	}}
	if _, err := (plan.Plan{Title: "Remove nodes", Steps: []plan.Step{step}}).Run(ctx, r.Watch); err != nil {
		return same(nodes, err)
	}
	for _, node := range d.Changed {
		r.cordoned[node] = true
	}
	return errs
}

// start starts the program on one host.
func (r batchRun) start(ctx context.Context, node string) error {
	removal := r.removals[node]
	p := plan.Plan{Title: "Remove node " + node, Steps: removal.startSteps()}
	if _, err := p.Run(ctx, r.Watch); err != nil || !r.cordoned[node] {
		return err
	}
	return runner.NoteCordoned(ctx, r.cluster.Client, removal.record)
}

// drain evicts the pods of a wave, all of them in one account of the budgets. A node
// that could not be drained is left as it was found, but for its cordon.
func (r batchRun) drain(ctx context.Context, nodes []string) map[string]error {
	nodes = slices.Sorted(slices.Values(slices.DeleteFunc(nodes, func(node string) bool { return r.removals[node].hostUnderWay() })))
	if len(nodes) == 0 {
		return nil
	}
	d := r.removals[nodes[0]].drain()
	d.Nodes, d.Evicted, d.Staying = nodes, nil, nil
	d.Options.MaxParallel = "100%" // of a wave
	for _, node := range nodes {
		r.removals[node].draining = d
		d.Staying = append(d.Staying, r.removals[node].excluded...)
	}
	step := d.EvictStep("Drain " + strings.Join(nodes, ", "))
	evict := step.Do
	step.Do = func(ctx context.Context, report plan.Report) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		for _, node := range nodes {
			r.removals[node].keepAlive(ctx)
		}
		return evict(ctx, report)
	}
	_, err := plan.Plan{Title: "Drain " + strings.Join(nodes, ", "), Steps: []plan.Step{step}}.Run(ctx, r.Watch)
	r.Returned = append(r.Returned, d.Outcome.Returned...)
	errs := map[string]error{}
	for _, node := range nodes {
		if err != nil && !d.Emptied(node) {
			errs[node] = errors.Join(err, r.removals[node].leave(ctx))
		}
	}
	return errs
}

// clean does what comes after the drain.
func (r batchRun) clean(ctx context.Context, node string) error {
	removal := r.removals[node]
	if removal.hostUnderWay() {
		removal.draining = removal.drain()
	}
	p := plan.Plan{Title: "Remove node " + node, Steps: slices.Concat(removal.volumeSteps(), removal.hostSteps(), removal.finishSteps())}
	_, err := p.Run(ctx, r.Watch)
	return err
}

// whole removes one node from beginning to end.
func (r batchRun) whole(ctx context.Context, node string) error {
	_, err := r.removals[node].Plan().Run(ctx, r.Watch)
	r.Returned = append(r.Returned, r.removals[node].Returned...)
	return err
}

// leave takes the program off a host whose node could not be drained.
func (r *Removal) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), departTimeout)
	defer cancel()
	if err := r.giveUp(ctx); !errors.Is(err, plan.ErrKept) {
		return err
	}
	return nil
}

// departTimeout bounds the end of a program that has changed nothing.
const departTimeout = 15 * time.Second

func same(nodes []string, err error) map[string]error {
	errs := map[string]error{}
	for _, node := range nodes {
		errs[node] = err
	}
	return errs
}

// naming puts the host's name before each event of a host: several report at once.
type naming struct{ to plan.Observer }

// Observe hands an event on.
func (n naming) Observe(e plan.Event) {
	if e.Host != "" {
		e.Title = e.Host + ": " + e.Title
		if e.Message != "" {
			e.Message = e.Host + ": " + e.Message
		}
	}
	n.to.Observe(e)
}
