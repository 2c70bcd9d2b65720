// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

func TestWhyANodeIsNotReady(t *testing.T) {
	const noCNI = "container runtime network not ready: cni plugin not initialized"
	up := agent("w3", "", "")
	up.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	initializing := agent("w3", "PodInitializing", "")
	pulling := agent("w3", "PodInitializing", "")
	pulling.Status.InitContainerStatuses = agent("w3", "ErrImagePull", "no such host").Status.ContainerStatuses
	unscheduled := agent("w3", "", "")
	unscheduled.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: "Unschedulable", Message: "Insufficient cpu"}}}
	proxy := agent("w3", "CrashLoopBackOff", "")
	proxy.OwnerReferences[0].Name = "kube-proxy"
	other := agent("w3", "CrashLoopBackOff", "")
	other.Spec.HostNetwork = false
	silent := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w3"}}
	const pod = "kube-flannel/kube-flannel-ds-x: "
	tests := []struct {
		name         string
		message      string
		pods         []*corev1.Pod
		settled      bool
		reason, hint string
	}{
		{"its own condition comes first", "disk pressure", nil, true, "disk pressure", "look at it: kubectl describe node w3"},
		{"a new node may still get its agent", noCNI, nil, false, noCNI, "look at it: kubectl describe node w3"},
		{"an old one without an agent has no network", noCNI, nil, true, noCNI + "; no network agent is on it",
			"give the cluster a network: kubectl lifecycle cni install flannel"},
		{"kube-proxy is no network agent", noCNI, []*corev1.Pod{proxy}, true, noCNI + "; no network agent is on it",
			"give the cluster a network: kubectl lifecycle cni install flannel"},
		{"nor is a pod in the pod network", noCNI, []*corev1.Pod{other}, true, noCNI + "; no network agent is on it",
			"give the cluster a network: kubectl lifecycle cni install flannel"},
		{"an agent may be starting", noCNI, []*corev1.Pod{initializing}, true, noCNI + "; " + pod + "starting",
			"look at it: kubectl -n kube-flannel describe pod kube-flannel-ds-x"},
		{"an init container may be what waits", noCNI, []*corev1.Pod{pulling}, true, noCNI + "; " + pod + "ErrImagePull: no such host",
			"look at it: kubectl -n kube-flannel describe pod kube-flannel-ds-x"},
		{"an agent may find no room", noCNI, []*corev1.Pod{unscheduled}, true, noCNI + "; " + pod + "Unschedulable: Insufficient cpu",
			"look at it: kubectl -n kube-flannel describe pod kube-flannel-ds-x"},
		{"an agent that is up points to the runtime", noCNI, []*corev1.Pod{up}, true, noCNI,
			"the network's agent is up: if it stays so, the runtime has lost sight of /etc/cni/net.d; on the host: systemctl restart containerd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reason, hint := notReady(sight{node: jointest.Node("w3", corev1.ConditionFalse, tt.message), pods: tt.pods, settled: tt.settled})
			if diff := cmp.Diff([]string{tt.reason, tt.hint}, []string{reason, hint}); diff != "" {
				t.Error(diff)
			}
		})
	}
	if reason, _ := notReady(sight{node: silent}); reason != "its kubelet has not reported yet" {
		t.Errorf("got %q", reason)
	}
}
