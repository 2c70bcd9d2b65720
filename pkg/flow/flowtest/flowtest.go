// SPDX-License-Identifier: Apache-2.0

// Package flowtest builds what the tests of recipes need: nodes, pods, records, and an
// API server that behaves like a real one where that matters.
package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Worker is a worker w1 that is Ready.
func Worker() *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1", Labels: map[string]string{}}}
	n.Status.NodeInfo.OperatingSystem = "linux"
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	return n
}

// SilentNode is the same whose kubelet does not report any more.
func SilentNode() *corev1.Node {
	n := Worker()
	n.UID = "1"
	n.Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown",
		Message: "Kubelet stopped posting node status."}
	return n
}

// ControlPlane is a control-plane node.
func ControlPlane(name, address string, ready bool) corev1.Node {
	n := *Worker()
	n.Name = name
	n.Labels["node-role.kubernetes.io/control-plane"] = ""
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: name}}
	if !ready {
		n.Status.Conditions[0].Status = corev1.ConditionUnknown
	}
	return n
}

// KubeadmConfig is kubeadm's own ConfigMap.
func KubeadmConfig() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"},
		Data: map[string]string{"ClusterConfiguration": "networking:\n  podSubnet: 10.244.0.0/16,fd00::/48\n  serviceSubnet: " +
			"10.96.0.0/12\n"},
	}
}

// Pod is a pod in the namespace shop, of a controller of some kind; none if that is
// empty.
func Pod(name, owner string, volumes ...corev1.Volume) corev1.Pod {
	yes := true
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.PodSpec{Volumes: volumes}}
	if owner != "" {
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "x", Controller: &yes}}
	}
	return pod
}

// BoundPod is a pod on a node, of a DaemonSet.
func BoundPod(name, node string, finalizers ...string) *corev1.Pod {
	pod := Pod(name, "DaemonSet")
	pod.UID, pod.Spec.NodeName, pod.Finalizers = types.UID(name), node, finalizers
	return &pod
}

// Record is the record of a run on a node.
func Record(node string, operation wire.Operation, phase wire.Phase, change ...func(*corev1.Secret)) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: runner.DefaultNamespace, Name: runner.NameFor(node), UID: types.UID("record of " + node),
			Labels: map[string]string{runner.Label: string(operation)},
		},
		Data: map[string][]byte{
			wire.KeyOperation: []byte(operation), wire.KeyNode: []byte(node), wire.KeyPhase: []byte(phase),
			wire.KeySince: []byte("2026-01-02T03:04:05Z"),
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

// With sets a key of a record.
func With(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) { s.Data[key] = []byte(value) }
}

// Permissive is a client whose server allows everything but the verbs named.
func Permissive(t *testing.T, denied []string, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	client := fake.NewClientset(objects...)
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
		review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		attributes := review.Spec.ResourceAttributes
		review.Status.Allowed = !slices.Contains(denied, attributes.Verb+" "+attributes.Resource)
		return true, review, nil
	})
	client.PrependReactor("delete", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		// The tracker takes a dry run for a deletion.
		return len(a.(clienttesting.DeleteActionImpl).DeleteOptions.DryRun) > 0, nil, nil
	})
	return client
}

// Finalizing is one whose server keeps what has finalizers, as a real one does.
func Finalizing(t *testing.T, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	client := Permissive(t, nil, objects...)
	client.PrependReactor("delete", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		d := a.(clienttesting.DeleteActionImpl)
		if len(d.DeleteOptions.DryRun) > 0 {
			return true, nil, nil
		}
		found, err := client.Tracker().Get(d.GetResource(), d.GetNamespace(), d.GetName())
		if err != nil {
			return true, nil, err
		}
		object, ok := found.(metav1.Object)
		if !ok || len(object.GetFinalizers()) == 0 {
			return false, nil, nil
		}
		now := metav1.Now()
		object.SetDeletionTimestamp(&now)
		return true, nil, client.Tracker().Update(d.GetResource(), found, d.GetNamespace())
	})
	return client
}

// Hardware makes a Node of a machine: its machine-id, system UUID, boot-id and
// provider ID, "m s b p".
func Hardware(name, ids string, addresses ...string) corev1.Node {
	n := *Worker()
	id := strings.Split(ids, " ")
	machine, system, boot, provider := id[0], id[1], id[2], id[3]
	n.Name, n.Spec.ProviderID = name, provider
	n.Status.NodeInfo.MachineID, n.Status.NodeInfo.SystemUUID, n.Status.NodeInfo.BootID = machine, system, boot
	for _, a := range addresses {
		n.Status.Addresses = append(n.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return n
}

// ManagedBy are the managed fields of an object whose finalizer a manager has set.
func ManagedBy(by, finalizer string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{
		{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{}}}`)},
		{Manager: "broken", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":7}`)},
		{Manager: "none"},
		{Manager: by, FieldsV1: metav1.NewFieldsV1(fmt.Sprintf(`{"f:metadata":{"f:finalizers":{".":{},"v:\"%s\"":{}}}}`, finalizer))},
	}
}
