// SPDX-License-Identifier: Apache-2.0

package podcarrier

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestTheStateOfTheDoorIsSaidAndItsFailuresHaveAWayOut(t *testing.T) {
	pod := func(phase corev1.PodPhase, reason string, state corev1.ContainerState) *corev1.Pod {
		p := podOn("amd64")
		p.Status = corev1.PodStatus{Phase: phase, Reason: reason, ContainerStatuses: []corev1.ContainerStatus{{State: state}}}
		return p
	}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "m"}}
	}
	cases := map[string]struct {
		pod     *corev1.Pod
		running bool
		hint    string
	}{
		"it runs":               {pod(corev1.PodRunning, "", corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), true, ""},
		"it is being created":   {pod(corev1.PodPending, "", waiting("ContainerCreating")), false, ""},
		"the image is not here": {pod(corev1.PodPending, "", waiting("ErrImageNeverPull")), false, "--runner-image"},
		"the image is here, and was pulled with a secret": {pod(corev1.PodPending, "", waiting("ErrImageNeverPull")), false,
			"KubeletEnsureSecretPulledImages"},
		"the node is too full": {pod(corev1.PodFailed, "OutOfpods", corev1.ContainerState{}), false, "make room"},
		"the kubelet takes critical pods only": {pod(corev1.PodFailed, "Evicted", corev1.ContainerState{}), false,
			"system-node-critical"},
		"the node shuts down": {pod(corev1.PodFailed, "NodeShutdown", corev1.ContainerState{}), false,
			"when it is back"},
		"the namespace has a node selector": {pod(corev1.PodFailed, "NodeAffinity", corev1.ContainerState{}), false,
			"node-selector"},
		"a reason that is not known": {pod(corev1.PodFailed, "Whatever", corev1.ContainerState{}), false,
			"kubectl describe node worker-1"},
		"nsenter is missing": {pod(corev1.PodRunning, "",
			corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 127}}), false, "/usr/bin/nsenter"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			running, _, err := podState(c.pod)
			if running != c.running || (err == nil) != (c.hint == "") || !strings.Contains(plan.HintOf(err), c.hint) {
				t.Errorf("running %v, error %v, hint %q", running, err, plan.HintOf(err))
			}
		})
	}
}

func TestTheDoorIsCriticalWhereAKubeletTakesNoOthers(t *testing.T) {
	for name, c := range map[string]struct {
		kind   corev1.NodeConditionType
		status corev1.ConditionStatus
		want   string
	}{
		"short of disk":                {corev1.NodeDiskPressure, corev1.ConditionTrue, "system-node-critical"},
		"short of process IDs":         {corev1.NodePIDPressure, corev1.ConditionTrue, "system-node-critical"},
		"short of memory only":         {corev1.NodeMemoryPressure, corev1.ConditionTrue, ""},
		"not short of disk":            {corev1.NodeDiskPressure, corev1.ConditionFalse, ""},
		"nobody knows, it is silent":   {corev1.NodeDiskPressure, corev1.ConditionUnknown, ""},
		"something else is the matter": {corev1.NodeReady, corev1.ConditionTrue, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := node("amd64")
			n.Status.Conditions = []corev1.NodeCondition{{Type: c.kind, Status: c.status}}
			if got := podFor(podSpec{name: "n", namespace: "kube-system", node: n}).Spec.PriorityClassName; got != c.want {
				t.Errorf("priority class %q, want %q", got, c.want)
			}
		})
	}
}

func TestAForeignPodOfTheNameStays(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "lifecycle-worker-1-look", Namespace: "kube-system", UID: "there",
		Labels: map[string]string{Label: "inspect"}}
	meta.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "x", UID: "9"}}
	client := fake.NewClientset(&corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{NodeName: "worker-1"},
		Status: corev1.PodStatus{Phase: corev1.PodSucceeded}})
	err := (&Carrier{client: client, ours: func(*corev1.Pod) bool { return false }, spec: podSpec{name: meta.Name, namespace: meta.Namespace,
		node: node("amd64")}}).sweep(t.Context())
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "delete pod lifecycle-worker-1-look") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	for _, a := range client.Actions() {
		if a.Matches("delete", "pods") {
			t.Error("it was deleted")
		}
	}
}
