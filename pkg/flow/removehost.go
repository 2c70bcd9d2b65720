// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
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
	client := r.cluster.Client
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
		return plan.Hint(errors.Join(errors.New("the removal was taken back, the kubelet runs again"), runner.End(ctx, client, r.record)),
			"if that is not what you wanted, run the same command again")
	case wire.Preparing, wire.Ready, wire.Working, wire.Leaving, wire.Finished:
	}
	if err := r.takeOutcome(state.Outcome); err != nil {
		return fmt.Errorf("decode the outcome of node %s: %w", r.Node.Name, err)
	}
	if r.Verdict.State != clean.Clean && r.Verdict.State != clean.CleanAfterReboot {
		return fmt.Errorf("the verdict of node %s is %q", r.Node.Name, r.Verdict.State)
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
	return deleteNode(ctx, r.cluster.Client, r.Node, report)
}

// deleteNode deletes a node, and what is left of it in the API: its pods, because
// without a kubelet nothing confirms that they have ended and they would stay
// Terminating.
func deleteNode(ctx context.Context, client kubernetes.Interface, node *corev1.Node, report plan.Report) error {
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node.Name})
	if err != nil {
		return fmt.Errorf("list pods on node %s: %w", node.Name, err)
	}
	// The Node goes first, or DaemonSets would replace their pods at once.
	err = client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &node.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete node %s: %w", node.Name, err)
	}
	report("%d pods that ran there are deleted, too", len(pods.Items))
	return deletePods(ctx, client, pods.Items)
}

// deletePods deletes pods of a node that is no more: nobody else is asked.
func deletePods(ctx context.Context, client kubernetes.Interface, pods []corev1.Pod) error {
	var errs []error
	now := int64(0)
	for _, pod := range pods {
		err := client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs = append(errs, fmt.Errorf("delete pod %s/%s: %w", pod.Namespace, pod.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Removal) end(ctx context.Context, _ plan.Report) error {
	return runner.End(ctx, r.cluster.Client, r.record)
}

// Rehearse names the exact objects on the host that a removal would take away,
// through one read-only pod that is gone afterwards. An etcd member that may not
// leave is refused, and so is a host that could not join where it is to move.
func (r *Removal) Rehearse(ctx context.Context, watch plan.Observer) (clean.Removal, error) {
	g := glance{name: r.Node.Name, choices: r.opts.Choices}
	if r.passage != nil {
		g.destination = r.passage.destination()
	}
	inventory, err := g.look(ctx, r.cluster, watch)
	if err != nil {
		return clean.Removal{}, err
	}
	if inventory.Etcd != nil {
		if _, err := inventory.Etcd.Departure(); err != nil {
			return clean.Removal{}, err
		}
	}
	return clean.Decide(inventory), nil
}

// FinishRecord ends a removal that was interrupted after its Node was deleted: it
// deletes the pods that are still said to run there, and the record. It reports
// whether there was one.
func FinishRecord(ctx context.Context, cluster runner.Cluster, name string) (finished bool, err error) {
	rec, found, err := runner.Get(ctx, cluster, name)
	if err != nil || !found {
		return false, err
	}
	if rec.State.Operation != wire.Remove || rec.State.Phase != wire.Finished {
		return false, plan.Refuse(fmt.Errorf("%w: %s, and its Node is gone", runner.ErrBusy, rec.State.Describe()),
			"follow it: kubectl lifecycle runs follow %s", text.Quote(name))
	}
	return true, endGone(ctx, cluster.Client, rec)
}

// endGone deletes the pods that are still said to run on a Node that is gone, and
// then the record.
func endGone(ctx context.Context, client kubernetes.Interface, rec runner.Record) error {
	name := rec.State.Node
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return fmt.Errorf("list pods on node %s: %w", name, err)
	}
	if err := deletePods(ctx, client, pods.Items); err != nil {
		return err
	}
	return runner.End(ctx, client, rec)
}
