// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// sendHome orders the program to take the way back, waits until it has, and
// deletes the record.
func sendHome(ctx context.Context, cluster runner.Cluster, rec runner.Record) error {
	if err := runner.SendOrder(ctx, cluster.Client, rec, wire.Abort); err != nil {
		return err
	}
	state, err := runner.Follow(ctx, cluster, rec, plan.Discard)
	if err != nil {
		return fmt.Errorf("wait until the program has left the host of node %s: %w", rec.State.Node, err)
	}
	if state.Phase != wire.Aborted {
		return fmt.Errorf("%w: %s", errWaiting, state.Error)
	}
	return runner.End(ctx, cluster.Client, rec)
}

// ackDelay is how long a program takes at most to take an order: it asks every second.
const ackDelay = 5 * time.Second

// whenQuiet says what is waited for, unless the wait is over by then.
func whenQuiet(report plan.Report, format string, args ...any) (stop func()) {
	timer := time.AfterFunc(ackDelay, func() { report(format, args...) })
	return func() { timer.Stop() }
}

// Abort is the way back of a run: the program starts the kubelet again and
// leaves the host, the node is uncordoned if the run had cordoned it, and the
// record goes. It waits until the node is Ready.
func Abort(ctx context.Context, cluster runner.Cluster, name string) (plan.Plan, error) {
	client := cluster.Client
	rec, found, err := runner.Get(ctx, cluster, name)
	if err != nil {
		return plan.Plan{}, err
	}
	if !found {
		return plan.Plan{}, plan.Refuse(fmt.Errorf("no run holds node %s", name), "see which there are: kubectl lifecycle runs")
	}
	end := plan.Step{ID: "record", Title: "Delete the run record", Do: func(ctx context.Context, _ plan.Report) error {
		return runner.End(ctx, client, rec)
	}}
	if node, err := kubenode.Get(ctx, client, name); err == nil && !rec.Of(node) {
		return plan.Plan{
			Title: "Forget the " + rec.State.Describe(), Steps: []plan.Step{end},
			Notes: []string{"node " + name + " has joined again since: its host is left as it is"},
		}, nil
	}
	if rec.State.Phase == wire.Finished || rec.State.Phase == wire.Leaving {
		return plan.Plan{}, plan.Refuse(fmt.Errorf("the %s is over, the host is clean: there is no way back from that", rec.State.Describe()),
			"finish it: run the same '%s' again", rec.State.Operation)
	}
	return plan.Plan{
		Title: "Abort the " + string(rec.State.Operation) + " of node " + name,
		Steps: []plan.Step{
			{ID: "host", Title: "Start the kubelet of " + name + " again", Do: func(ctx context.Context, report plan.Report) error {
				return backOut(ctx, cluster, rec, report)
			}},
			{ID: "ready", Title: "Wait until node " + name + " is Ready", Do: func(ctx context.Context, report plan.Report) error {
				return errors.Join(kubenode.AwaitReturn(ctx, client, name, report), takeBackSigns(ctx, client, name, report))
			}},
			{ID: "uncordon", Title: "Uncordon " + name,
				Needed: func(context.Context) (bool, error) { return rec.State.Cordoned, nil },
				Do: func(ctx context.Context, _ plan.Report) error {
					_, err := drain.Scheduling{}.Apply(ctx, client, name)
					return err
				}},
			end,
		},
	}, nil
}

// takeBackSigns removes what a run has said about a node by its conditions, and what
// it has changed of Deployments for the time of its drain. The conditions are a
// courtesy: that they stay is said.
func takeBackSigns(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	for _, stage := range []drain.Stage{drain.NotMaintaining, drain.NotDraining} {
		if err := drain.Mark(ctx, client, []string{name}, stage); err != nil {
			report("%v", err)
			break
		}
	}
	said, err := (&Drain{Client: client, Nodes: []string{name}}).Revert(ctx)
	for _, line := range said {
		report("%s", line)
	}
	return err
}

// backOut brings the program to leave, unless it never came.
func backOut(ctx context.Context, cluster runner.Cluster, rec runner.Record, report plan.Report) error {
	if rec.State.Phase == wire.Preparing || rec.State.Phase == wire.Aborted {
		return nil
	}
	if err := runner.SendOrder(ctx, cluster.Client, rec, wire.Abort); err != nil {
		return err
	}
	defer whenQuiet(report, "waiting for the host of %s to start its kubelet; while it is down, or cannot reach an API server, it receives "+
		"nothing", rec.State.Node)()
	state, err := runner.Follow(ctx, cluster, rec, plan.Discard)
	if err != nil {
		return err
	}
	if state.Phase != wire.Aborted {
		return plan.Hint(fmt.Errorf("the host of node %s cannot go back: %s", rec.State.Node, state.Error),
			"finish it instead: run the same '%s' again", rec.State.Operation)
	}
	return nil
}

// AbortDrain takes a drain back: the Deployments that it changed are as they were, and
// the nodes that it cordoned take pods again. A node without a note of a drain was
// cordoned by a person, and stays so. It returns what was done, and what was
// left, in sentences.
func AbortDrain(ctx context.Context, client kubernetes.Interface, target drain.Target) (said []string, err error) {
	if err := target.Validate(); err != nil {
		return nil, err
	}
	nodes, err := drain.ReadNodes(ctx, client, target, drain.DefaultOptions().ChunkSize)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range nodes {
		names = append(names, nodes[i].Name)
	}
	measures, err := surge.Find(ctx, client, names)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range measures {
		text, err := surge.Revert(ctx, client, m)
		errs = append(errs, err)
		if err == nil && text != "" {
			said = append(said, text)
		}
	}
	for i := range nodes {
		text, err := uncordonOurs(ctx, client, &nodes[i])
		errs = append(errs, err)
		if text != "" {
			said = append(said, text)
		}
	}
	return said, errors.Join(errs...)
}

func uncordonOurs(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (string, error) {
	note, ours := drain.NoteOf(node)
	switch {
	case !node.Spec.Unschedulable:
		return "node " + node.Name + " is not cordoned", nil
	case !ours:
		return "node " + node.Name + " stays cordoned: no drain of this plugin has cordoned it", nil
	case !note.Drain:
		return "node " + node.Name + " stays cordoned, as it was asked for " + note.String() + "; to end that: kubectl lifecycle uncordon " +
			text.Quote(node.Name), nil
	}
	if _, err := (drain.Scheduling{}).Apply(ctx, client, node.Name); err != nil {
		return "", err
	}
	return "node " + node.Name + " is schedulable again; it was cordoned " + note.String(), nil
}
