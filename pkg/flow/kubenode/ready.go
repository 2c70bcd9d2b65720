// SPDX-License-Identifier: Apache-2.0

package kubenode

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// readyTimeout bounds the wait for a kubelet that was started again.
const readyTimeout = 5 * time.Minute

// firstWord is how long a kubelet that runs has to post its status: it looks every ten
// seconds, posts what has changed at once, and all of it when it was started
// (pkg/kubelet/kubelet_node_status.go, 1.36). A Ready that still is what it was is true then.
const firstWord = 30 * time.Second

// AwaitReturn waits until a node's kubelet has renewed its lease once more (for
// up to 40 s after a kubelet has stopped, its Node still looks Ready) and has posted its
// status since, which comes after the lease, and the Node is Ready.
func AwaitReturn(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	report("waiting for a sign of life of its kubelet")
	if err := reports(ctx, client, name); err != nil {
		return err
	}
	return AwaitReady(ctx, client, name, report)
}

// reports waits until a node's kubelet has renewed its lease, and has posted its status since or
// would have.
func reports(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("get node %s: %w", name, err)
	}
	if err := AwaitLease(ctx, client, name); err != nil {
		return plan.Hint(fmt.Errorf("wait for the lease of node %s: %w", name, err),
			"see on the host why its kubelet does not report: journalctl -u kubelet; then run the same command again")
	}
	if err := awaitWord(ctx, client, name, heartbeat(node)); err != nil {
		return fmt.Errorf("wait for the status of node %s: %w", name, err)
	}
	return nil
}

// Alive reports whether a node's kubelet says something: it renews its lease, and what its Node
// says of it is of now then. False if it does not within 90 s; a kubelet renews its lease every
// 10 s.
func Alive(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	within, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	err := reports(within, client, name)
	if within.Err() != nil && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

// heartbeat is when a kubelet posted last whether its node is Ready, by its own clock.
func heartbeat(node *corev1.Node) metav1.Time {
	if c := kube.ReadyCondition(node); c != nil {
		return c.LastHeartbeatTime
	}
	return metav1.Time{}
}

// awaitWord waits until the kubelet has posted its status since, or would have.
func awaitWord(ctx context.Context, client kubernetes.Interface, name string, since metav1.Time) error {
	within, cancel := context.WithTimeout(ctx, firstWord)
	defer cancel()
	_, err := watchtools.UntilWithSync(within, kube.Only(client, client.CoreV1().Nodes(), name), &corev1.Node{}, nil,
		func(e watch.Event) (bool, error) {
			node, ok := e.Object.(*corev1.Node)
			if !ok || e.Type == watch.Deleted {
				return false, nil
			}
			at := heartbeat(node)
			return !at.Equal(&since), nil
		})
	if within.Err() != nil {
		return ctx.Err()
	}
	return err
}

// AwaitReady waits until a node is there and Ready.
func AwaitReady(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	list := kube.Only(client, client.CoreV1().Nodes(), name)
	_, err := watchtools.UntilWithSync(ctx, list, &corev1.Node{}, nil, func(e watch.Event) (bool, error) {
		node, ok := e.Object.(*corev1.Node)
		if !ok || e.Type == watch.Deleted {
			return false, nil
		}
		if kube.NodeReady(node) {
			return true, nil
		}
		report("%s", ReadyMessage(node))
		return false, nil
	})
	if err != nil {
		return plan.Hint(plan.As(plan.TimedOut, fmt.Errorf("node %s is not Ready after %s: %w", name, readyTimeout, err)),
			"see: kubectl describe node %s; on the host: journalctl -u kubelet", text.Quote(name))
	}
	return nil
}

// AwaitLease waits until the lease of a node's kubelet changes. The clocks of
// two machines are not compared.
func AwaitLease(ctx context.Context, client kubernetes.Interface, name string) error {
	leases := client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	first, err := leases.Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	_, err = watchtools.UntilWithSync(ctx, kube.Only(client, leases, name), &coordinationv1.Lease{}, nil, func(e watch.Event) (bool, error) {
		lease, ok := e.Object.(*coordinationv1.Lease)
		return ok && lease.Spec.RenewTime != nil &&
			(first.Spec.RenewTime == nil || !lease.Spec.RenewTime.Equal(first.Spec.RenewTime)), nil
	})
	return err
}
