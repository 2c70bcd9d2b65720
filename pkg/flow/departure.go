// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// departureLimit is how long a Node that is being deleted is waited for where no
// --timeout says otherwise.
const departureLimit = 2 * time.Minute

// finishesAtOnce is what to do once a finalizer is off: the record is still there.
const finishesAtOnce = "then run the same command again: it finishes at once"

// ErrStays is wrapped by the error of a Node that has been deleted and is still
// there: something holds it.
var ErrStays = errors.New("is being deleted and still there")

// depart deletes a Node and returns once the API has it no longer. A Node with
// finalizers stays until their controllers take them off: that is waited for,
// until the context ends, or for two minutes where it has no deadline. A
// finalizer is never removed here: only its controller knows what has to be done
// before. The error wraps ErrStays and says, with again, what to do once the Node is
// gone.
func depart(ctx context.Context, client kubernetes.Interface, node *corev1.Node, again string, report plan.Report) error {
	err := client.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &node.UID}})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err): // of another UID by now: the wait tells
	case err != nil:
		return fmt.Errorf("delete node %s: %w", node.Name, err)
	}
	last, err := awaitDeparture(ctx, client, node, report)
	if err != nil && last != nil {
		return stays(last, err, again)
	}
	return err
}

// awaitDeparture waits until there is no Node of this UID. When the time is up, it
// returns the Node as it was seen last, and why it is up.
func awaitDeparture(ctx context.Context, client kubernetes.Interface, node *corev1.Node, report plan.Report) (last *corev1.Node, err error) {
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
		if now := finalizersOf(there); now != said {
			report("node/%s is being deleted; waiting for %s", node.Name, now)
			said = now
		}
		return false
	}
	_, err = watchtools.UntilWithSync(limited, onlyNode(client, node.Name), &corev1.Node{}, func(store cache.Store) (bool, error) {
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
	err := fmt.Errorf("node/%s %w", node.Name, ErrStays)
	look := text.Command("kubectl", "get", "node", node.Name, "--show-managed-fields", "-o", "yaml")
	hint := "see what keeps it: " + look + "\n" + again
	if len(node.Finalizers) > 0 {
		err = fmt.Errorf("%w: it waits for %s", err, finalizersOf(node))
		hint = "the controller that set a finalizer has to take it off; is it running? See: " + look + "\n" +
			"if it is gone for good, take the finalizer off yourself: " + text.Command("kubectl", "edit", "node", node.Name) + "\n" + again
	}
	class := plan.TimedOut
	if errors.Is(cause, context.Canceled) {
		class = plan.Interrupted
	}
	return plan.As(class, plan.Hint(err, "%s", hint))
}

// finalizersOf names an object's finalizers, at most five, each with who set it as
// far as the API server has noted that.
func finalizersOf(object metav1.Object) string {
	const most = 5
	var out []string
	for _, f := range object.GetFinalizers() {
		if len(out) == most {
			out = append(out, fmt.Sprintf("%d more", len(object.GetFinalizers())-most))
			break
		}
		name := text.Short(f, 128)
		if by := setBy(object, f); by != "" {
			name += " (set by " + text.Short(by, 64) + ")"
		}
		out = append(out, name)
	}
	if len(out) == 1 {
		return "finalizer " + out[0]
	}
	return "finalizers " + strings.Join(out, ", ")
}

// setBy is the field manager that put a finalizer on an object; empty if the API
// server has not noted it.
func setBy(object metav1.Object, finalizer string) string {
	key, err := json.Marshal(finalizer)
	if err != nil {
		return ""
	}
	for _, entry := range object.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		var set struct {
			Metadata struct {
				Finalizers map[string]json.RawMessage `json:"f:finalizers"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &set) != nil {
			continue
		}
		if _, ok := set.Metadata.Finalizers["v:"+string(key)]; ok {
			return entry.Manager
		}
	}
	return ""
}

// departureWarnings are what a plan says of a Node that will not be gone as soon
// as it is deleted.
func departureWarnings(node *corev1.Node) []string {
	if len(node.Finalizers) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("node %s has the %s: once deleted, it stays until that is taken off, which is waited for", node.Name, finalizersOf(node))}
}

// nodeTitle is the title of the step that deletes a Node.
func nodeTitle(node *corev1.Node) string {
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

// onlyNode lists and watches one Node.
func onlyNode(client kubernetes.Interface, name string) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector("metadata.name", name).String()
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector
			return client.CoreV1().Nodes().List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector
			return client.CoreV1().Nodes().Watch(ctx, o)
		},
	}, client)
}
