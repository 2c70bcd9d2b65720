// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostdata"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// operation is what a run on a host is for, as this side knows it. The program on the
// host has a value of the same name.
type operation struct {
	name wire.Operation
	// title is of the step that changes the host.
	title func(node string) string
	// task completes what the program is told; nil for nothing.
	task func(t *runner.Task)
	// term is what the host is told beside the choices, in words; nil for nothing.
	term func() string
	// alive is done as long as the drain goes on; nil for nothing.
	alive func(ctx context.Context)
	// verdict takes the host's verdict out of the outcome; nil where it is all of it.
	verdict func(outcome json.RawMessage) (json.RawMessage, error)
}

// removal is the operation that cleans the host.
func removal() operation {
	return operation{name: wire.Remove, title: func(node string) string { return "Clean the host of " + node }}
}

// reason is what a cordon says that is made for it.
func (o operation) reason() string { return string(o.name) + " of the node" }

// aliveEvery is how often the record gets a sign of life during a drain, at
// least; a program of little patience gets more.
const aliveEvery = 30 * time.Second

// errWaiting is wrapped by the error of a host on which a step failed: the
// program is still there and waits.
var errWaiting = errors.New("the program on the host waits")

func (r *Removal) begin(ctx context.Context, report plan.Report) error {
	if err := departure.MayDelete(ctx, r.cluster.Client, r.Node); err != nil {
		return err
	}
	cordoned, err := r.beginAgain(ctx, report)
	if err != nil {
		return err
	}
	task := runner.Task{
		Owner: runner.Owner{Operation: r.operation.name, Who: r.request.Who, Terms: r.terms()},
		Node:  r.Node, Input: r.input, Patience: r.request.Patience,
	}
	if r.operation.task != nil {
		r.operation.task(&task)
	}
	rec, err := runner.Begin(ctx, r.cluster, task, report)
	if err == nil && rec.State.Phase == wire.Aborted {
		report("an earlier run was aborted; starting over")
		if err := runner.End(ctx, r.cluster.Client, rec); err != nil {
			return err
		}
		cordoned = rec.State.Cordoned
		rec, err = runner.Begin(ctx, r.cluster, task, report)
	}
	if err == nil && cordoned {
		// To take this one back uncordons the node that the earlier one cordoned.
		err = runner.NoteCordoned(ctx, r.cluster.Client, rec)
	}
	r.record = rec
	return err
}

// giveUp takes the program off a host that it has not changed yet. Once the
// host is being changed the run stays, so that the same command takes it up.
func (r *Removal) giveUp(ctx context.Context) error {
	rec, found, err := runner.Get(ctx, r.cluster, r.Node.Name)
	if err != nil {
		return err
	}
	if !found || rec.UID != r.record.UID || rec.State.Phase != wire.Ready || rec.State.Order != "" {
		return plan.ErrKept
	}
	return sendHome(ctx, r.cluster, rec)
}

// keepAlive gives signs of life until the context ends.
func (r *Removal) keepAlive(ctx context.Context) {
	every := aliveEvery
	if patience := r.request.Patience; patience > 0 {
		every = min(every, patience/3)
	}
	if r.record.Name != "" {
		go runner.KeepAlive(ctx, r.cluster.Client, r.record, every)
	}
	if r.operation.alive != nil {
		go r.operation.alive(ctx)
	}
}

// clean gives the order, follows the events of the host, and returns when the
// host has its verdict.
func (r *Removal) clean(ctx context.Context, report plan.Report) error {
	r.mark(ctx, drain.Maintaining, report)
	state, err := r.command(ctx, report)
	if ctx.Err() != nil {
		return plan.As(plan.ClassOf(ctx.Err()), plan.Hint(fmt.Errorf("stopped following (%w); the work on the host continues", ctx.Err()),
			"follow it: kubectl lifecycle runs follow %s; finish it: run the same command again", text.Quote(r.Node.Name)))
	}
	if err != nil {
		return err
	}
	switch state.Phase {
	case wire.Waiting:
		return plan.Hint(fmt.Errorf("%w: %s", errWaiting, state.Error),
			"remove the cause and run the same command again, or abort it: kubectl lifecycle runs abort %s", text.Quote(r.Node.Name))
	case wire.Aborted:
		r.mark(ctx, drain.NotMaintaining, report)
		return plan.Hint(errors.Join(errors.New("the run was aborted, the kubelet runs again"),
			runner.End(ctx, r.cluster.Client, r.record)),
			"if that is not what you wanted, run the same command again")
	case wire.Preparing, wire.Ready, wire.Working, wire.Leaving, wire.Finished:
	}
	if err := r.takeOutcome(state.Outcome); err != nil {
		return fmt.Errorf("decode the outcome of node %s: %w", r.Node.Name, err)
	}
	if !r.Verdict.State.Done() {
		return fmt.Errorf("the verdict of node %s is %q", r.Node.Name, string(r.Verdict.State))
	}
	return nil
}

// command gives the program the order that it waits for, if any, and follows it to
// the end. A host that is down hears no order; that is said.
func (r *Removal) command(ctx context.Context, report plan.Report) (wire.State, error) {
	order := map[wire.Phase]wire.Order{wire.Waiting: wire.Retry, wire.Preparing: wire.Go, wire.Ready: wire.Go}[r.record.State.Phase]
	if order != "" {
		if err := runner.SendOrder(ctx, r.cluster.Client, r.record, order); err != nil {
			return wire.State{}, err
		}
		quiet := whenQuiet(report, "waiting for the program on %s to acknowledge the order; is the host up, and does it reach an API server? "+
			"(there: systemctl status kubectl-lifecycle)", r.Node.Name)
		err := runner.AwaitAck(ctx, r.cluster, r.record)
		quiet()
		if err != nil {
			return wire.State{}, err
		}
	}
	return runner.Follow(ctx, r.cluster, r.record, r.Watch)
}

// takeOutcome reads what the host has left in the record.
func (r *Removal) takeOutcome(raw json.RawMessage) error {
	if r.operation.verdict != nil {
		var err error
		if raw, err = r.operation.verdict(raw); err != nil {
			return err
		}
	}
	return json.Unmarshal(raw, &r.Verdict)
}

func (r *Removal) deleteNode(ctx context.Context, report plan.Report) error {
	err := departure.DeleteNode(ctx, r.cluster.Client, r.Node, departure.FinishesAtOnce, report)
	if err == nil {
		r.Held = append(departure.Held(ctx, r.cluster.Client, r.Node.Name), departure.Remains(ctx, r.cluster.Client, r.Node)...)
	}
	return err
}

// mark says what is done to the node by its conditions.
func (r *Removal) mark(ctx context.Context, stage drain.Stage, report plan.Report) {
	if r.draining == nil {
		r.draining = r.drain()
	}
	r.draining.markNodes(ctx, []string{r.Node.Name}, stage, report)
}

// clearPods deletes the pods that were left on the node, and notes those that stay.
func (r *Removal) clearPods(ctx context.Context, report plan.Report) (err error) {
	r.Lingering, err = departure.ClearPods(ctx, r.cluster.Client, r.Node.Name, report)
	return err
}

// over says that nothing is left in the API but the record. While pods linger it
// stays, so that the same command looks at them again.
func (r *Removal) over(context.Context) (bool, error) { return len(r.Lingering) == 0, nil }

func (r *Removal) end(ctx context.Context, _ plan.Report) error {
	return runner.End(ctx, r.cluster.Client, r.record)
}

// Rehearse names the exact objects on the host that a removal would take away,
// through one read-only pod that is gone afterwards. A cordon that the server denies is
// refused, an etcd member that may not leave, and a host that would not be cleaned as it
// is, or could not join where it is to move.
func (r *Removal) Rehearse(ctx context.Context, watch plan.Observer) (inventory.Removal, error) {
	for _, node := range r.Drain.ToCordon() {
		try := drain.Scheduling{Unschedulable: true, DryRun: true, Note: r.drain().note()}
		if _, err := try.Apply(ctx, r.cluster.Client, node.Name); err != nil {
			return inventory.Removal{}, err
		}
	}
	if err := departure.MayDelete(ctx, r.cluster.Client, r.Node); err != nil {
		return inventory.Removal{}, err
	}
	i := inspection{name: r.Node.Name, choices: r.request.Choices, keep: hostdata.Kept(r.Data)}
	if r.operation.task != nil {
		var task runner.Task
		r.operation.task(&task)
		i.destination = task.Destination
	}
	found, err := i.read(ctx, r.cluster, watch)
	if err != nil {
		return inventory.Removal{}, err
	}
	return mayRemove(r.Node.Name, found)
}

// mayRemove decides what a removal would take away, and refuses what the host itself
// would refuse once the removal has begun.
func mayRemove(node string, found inventory.Inventory) (inventory.Removal, error) {
	if found.Objection != "" {
		return inventory.Removal{}, plan.Refuse(fmt.Errorf("node %s: %s", node, text.Line(found.Objection)), "%s",
			wire.Advice(node, text.Line(found.WayOut)))
	}
	if found.Etcd != nil {
		if _, err := found.Etcd.Departure(); err != nil {
			return inventory.Removal{}, err
		}
	}
	return inventory.Decide(found), nil
}
