// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
)

// traces are what only a kubelet writes about a node, by what it is: of two looks
// that differ, something has been written in between. No two clocks are compared.
type traces map[string]string

// tracesOf reads them off the objects. What the control plane writes about a silent
// node (conditions that become Unknown, pods that are not Ready any more) is not
// among them. It is pure.
func tracesOf(node *corev1.Node, csi *storagev1.CSINode, pods []corev1.Pod) traces {
	t := traces{}
	t.kubeletOf("the Node's status", node)
	for _, c := range node.Status.Conditions {
		// The node controller keeps the heartbeat when it calls a condition Unknown.
		t["heartbeat "+string(c.Type)] = c.LastHeartbeatTime.UTC().Format(time.RFC3339Nano)
	}
	if csi != nil {
		t.kubeletOf("its CSINode", csi)
	}
	for i := range pods {
		pod := &pods[i]
		name := fmt.Sprintf("the status of pod %s/%s (%s)", pod.Namespace, pod.Name, pod.UID)
		t.kubeletOf(name, pod)
		all := [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses}
		if raw, err := json.Marshal(all); err == nil {
			t["containers: "+name] = string(raw)
		}
	}
	return t
}

// kubeletOf notes when an object's kubelet last wrote to it, as the API server has
// noted it.
func (t traces) kubeletOf(what string, object metav1.Object) {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager == "kubelet" && entry.Time != nil {
			t["written: "+what+" "+entry.Subresource] = entry.Time.UTC().Format(time.RFC3339)
		}
	}
}

// stirred names something that a kubelet has written since an earlier look; empty if
// it has written nothing.
func (t traces) stirred(before traces) string {
	for what, now := range t {
		if then, known := before[what]; known && then != now {
			return what
		}
	}
	return ""
}

// readTraces reads them. Whether a CSINode may be read is a matter of taste: one that
// may not tells nothing.
func readTraces(ctx context.Context, client kubernetes.Interface, name string) (traces, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get node %s: %w", name, err)
	}
	csi, err := client.StorageV1().CSINodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		csi = nil
	case err != nil:
		return nil, fmt.Errorf("get csinode %s: %w", name, err)
	}
	pods, err := kubenode.PodsOn(ctx, client, name)
	if err != nil {
		return nil, err
	}
	// The lease is watched, too; a watch that never came about must not pass for one
	// that saw nothing.
	lease, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get the lease of node %s: %w", name, err)
	}
	t := tracesOf(node, csi, pods)
	t["its lease"] = ""
	if err == nil && lease.Spec.RenewTime != nil {
		t["its lease"] = lease.Spec.RenewTime.UTC().Format(time.RFC3339Nano)
	}
	return t, nil
}
