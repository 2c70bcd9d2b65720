// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ErrWaiting is wrapped by the error of a host on which a step failed: the
// program is still there and waits.
var ErrWaiting = errors.New("the program on the host waits")

// clean gives the order, follows the events of the host, and returns when the
// host has its verdict.
func (r *Removal) clean(ctx context.Context, report plan.Report) error {
	client, names := r.cluster.Client, []string{r.Node.Name}
	r.mark(ctx, names, drain.Maintaining, report)
	state, err := r.command(ctx, report)
	if ctx.Err() != nil {
		return plan.As(plan.ClassOf(ctx.Err()), plan.Hint(fmt.Errorf("no longer watched (%w), but the host goes on by itself", ctx.Err()),
			"follow it: kubectl lifecycle runs follow %s; finish it: run the same command again", text.Quote(r.Node.Name)))
	}
	if err != nil {
		return err
	}
	switch state.Phase {
	case wire.Waiting:
		return plan.Hint(fmt.Errorf("%w: %s", ErrWaiting, state.Error),
			"remove the cause and run the same command again, or take it back: kubectl lifecycle runs abort %s", text.Quote(r.Node.Name))
	case wire.Aborted:
		r.mark(ctx, names, drain.NotMaintaining, report)
		return plan.Hint(errors.Join(errors.New("the removal was taken back, the kubelet runs again"), runner.End(ctx, client, r.record)),
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
		if err := runner.Tell(ctx, r.cluster.Client, r.record, order); err != nil {
			return wire.State{}, err
		}
		quiet := whenQuiet(report, "waiting until the program on the host of %s hears that it is to go on; is the host up, and does it reach an API server? (there: systemctl status kubectl-lifecycle)", r.Node.Name)
		err := runner.Heard(ctx, r.cluster, r.record)
		quiet()
		if err != nil {
			return wire.State{}, err
		}
	}
	return runner.Follow(ctx, r.cluster, r.record, r.Watch)
}

// takeOutcome reads what the host has left in the record.
func (r *Removal) takeOutcome(raw json.RawMessage) error {
	if r.passage != nil {
		var moved wire.Moved
		if err := json.Unmarshal(raw, &moved); err != nil {
			return err
		}
		r.passage.failure, raw = moved.Error, moved.Verdict
	}
	return json.Unmarshal(raw, &r.Verdict)
}

func (r *Removal) deleteNode(ctx context.Context, report plan.Report) error {
	return depart(ctx, r.cluster.Client, r.Node, finishesAtOnce, report)
}

// clearPods deletes the pods that were left on the node, and notes those that stay.
func (r *Removal) clearPods(ctx context.Context, report plan.Report) (err error) {
	r.Lingering, err = clearPods(ctx, r.cluster.Client, r.Node.Name, report)
	return err
}

// over says that nothing is left in the API but the record. While pods linger it
// stays, so that the same command looks at them again.
func (r *Removal) over(context.Context) (bool, error) { return len(r.Lingering) == 0, nil }

func (r *Removal) end(ctx context.Context, _ plan.Report) error {
	return runner.End(ctx, r.cluster.Client, r.record)
}

// Rehearse names the exact objects on the host that a removal would take away,
// through one read-only pod that is gone afterwards. An etcd member that may not
// leave is refused, and so is a host that would not be cleaned as it is, or could not
// join where it is to move.
func (r *Removal) Rehearse(ctx context.Context, watch plan.Observer) (inventory.Removal, error) {
	g := glance{name: r.Node.Name, choices: r.opts.Choices, keep: keeps(r.Data)}
	if r.passage != nil {
		g.destination = r.passage.destination()
	}
	found, err := g.look(ctx, r.cluster, watch)
	if err != nil {
		return inventory.Removal{}, err
	}
	return mayRemove(r.Node.Name, found)
}

// mayRemove decides what a removal would take away, and refuses what the host itself
// would refuse once the removal has begun.
func mayRemove(node string, found inventory.Inventory) (inventory.Removal, error) {
	if found.Objection != "" {
		return inventory.Removal{}, plan.Refuse(fmt.Errorf("node %s: %s", node, text.Line(found.Objection)), "%s", text.Line(found.WayOut))
	}
	if found.Etcd != nil {
		if _, err := found.Etcd.Departure(); err != nil {
			return inventory.Removal{}, err
		}
	}
	return inventory.Decide(found), nil
}
