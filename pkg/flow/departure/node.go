// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// departureLimit is how long a Node that is being deleted is waited for where no
// --timeout says otherwise.
const departureLimit = 2 * time.Minute

// FinishesAtOnce is what to do once a finalizer is off: the record is still there.
const FinishesAtOnce = "then run the same command again: it finishes at once"

// errStays is wrapped by the error of a Node that has been deleted and is still
// there: something holds it.
var errStays = errors.New("is being deleted and still there")

// DeleteNode deletes a Node and returns once the API has it no longer. A Node with
// finalizers stays until their controllers take them off: that is waited for,
// until the context ends, or for two minutes where it has no deadline. A
// finalizer is never removed here: only its controller knows what has to be done
// before. The error wraps errStays and says, with again, what to do once the Node is
// gone.
func DeleteNode(ctx context.Context, client kubernetes.Interface, node *corev1.Node, again string, report plan.Report) error {
	err := client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &node.UID}})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err): // of another UID by now: the wait tells
	case err != nil:
		err = drain.Denied("delete node "+node.Name, err, toDelete())
		return plan.Begun(plan.Hint(err, "%s\n%s", plan.HintOf(err), again))
	}
	last, err := awaitDeparture(ctx, client, node, report)
	if err != nil && last != nil {
		return stays(last, err, again)
	}
	return err
}

func toDelete() drain.Right { return drain.Right{Verb: "delete", Resource: "nodes"} }

// MayDelete asks the API server, by a dry run, whether it would delete a Node: policies and
// webhooks may deny what a role allows, and a removal must not find that out when the host is
// clean. Only a denial is an error, of class plan.Refused; a server in trouble, or a webhook
// that takes no dry runs, says nothing.
func MayDelete(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	err := client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{
		DryRun: []string{metav1.DryRunAll}, Preconditions: &metav1.Preconditions{UID: &node.UID},
	})
	if err == nil || apierrors.IsBadRequest(err) || !drain.ReadDenial(err, toDelete()).Forbids() {
		return nil
	}
	return drain.Denied("delete node "+node.Name+" (tried by a dry run, since a removal ends with it)", err, toDelete())
}

// awaitDeparture waits until there is no Node of this UID. When the time is up, it
// returns the Node as it was seen last, and why it is up.
func awaitDeparture(
	ctx context.Context, client kubernetes.Interface, node *corev1.Node, report plan.Report,
) (last *corev1.Node, err error) {
	limited, cancel := withDefault(ctx, departureLimit)
	defer cancel()
	last = node
	said := ""
	gone := func(there *corev1.Node) bool {
		if there.UID != node.UID {
			return true
		}
		last = there
		if len(there.Finalizers) == 0 {
			return false
		}
		if now := kubenode.Finalizers(there); now != said {
			report("node/%s is being deleted; waiting for %s", node.Name, now)
			said = now
		}
		return false
	}
	list := kube.Only(client, client.CoreV1().Nodes(), node.Name)
	_, err = watchtools.UntilWithSync(limited, list, &corev1.Node{}, func(store cache.Store) (bool, error) {
		for _, item := range store.List() {
			if there, ok := item.(*corev1.Node); ok && there.Name == node.Name {
				return gone(there), nil
			}
		}
		return true, nil
	}, func(e watch.Event) (bool, error) {
		there, ok := e.Object.(*corev1.Node)
		return ok && there.Name == node.Name && (e.Type == watch.Deleted || gone(there)), nil
	})
	switch {
	case err == nil:
		return nil, nil
	case limited.Err() != nil:
		return last, limited.Err()
	}
	return nil, fmt.Errorf("wait until node %s is gone: %w", node.Name, err)
}

// stays is the error of a Node that was waited for in vain.
func stays(node *corev1.Node, cause error, again string) error {
	err := fmt.Errorf("node/%s %w", node.Name, errStays)
	look := text.Command("kubectl", "get", "node", node.Name, "--show-managed-fields", "-o", "yaml")
	hint := "see what keeps it: " + look + "\n" + again
	if len(node.Finalizers) > 0 {
		err = fmt.Errorf("%w: it waits for %s", err, kubenode.Finalizers(node))
		hint = "the controller that set a finalizer has to take it off; is it running? See: " + look + "\n" +
			"if it is gone for good, take the finalizer off yourself: " + text.Command("kubectl", "edit", "node", node.Name) + "\n" + again
	}
	class := plan.TimedOut
	if errors.Is(cause, context.Canceled) {
		class = plan.Interrupted
	}
	return plan.As(class, plan.Hint(err, "%s", hint))
}

// Held are the locks that DaemonSets hold for a node that is gone, in sentences: they
// are not released by themselves. Who may not read them, or meets an error, is told
// nothing.
func Held(ctx context.Context, client kubernetes.Interface, name string) []string {
	locks, err := drain.ReadLocks(ctx, client, []string{name})
	if err != nil {
		return nil
	}
	var out []string
	for _, lock := range locks {
		out = append(out, "node "+name+" is gone, and "+text.Line(lock.String()))
	}
	return out
}

// Warnings are what a plan says of a Node that will not be gone as soon
// as it is deleted.
func Warnings(node *corev1.Node) []string {
	if len(node.Finalizers) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("node %s has the %s: once deleted, it stays until that is taken off, which is waited for", node.Name,
		kubenode.Finalizers(node))}
}

// Title is the title of the step that deletes a Node.
func Title(node *corev1.Node) string {
	if len(node.Finalizers) == 0 {
		return "Delete node " + node.Name
	}
	return fmt.Sprintf("Delete node %s, and wait for its finalizers", node.Name)
}

// withDefault bounds a context that has no deadline of its own.
func withDefault(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
