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

// AwaitReturn waits until a node's kubelet has renewed its lease once more (for
// up to 40 s after a kubelet has stopped, its Node still looks Ready), and the
// Node is Ready.
func AwaitReturn(ctx context.Context, client kubernetes.Interface, name string, report plan.Report) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	report("waiting for a sign of life of its kubelet")
	if err := AwaitLease(ctx, client, name); err != nil {
		return fmt.Errorf("wait for the lease of node %s: %w", name, err)
	}
	return AwaitReady(ctx, client, name, report)
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
