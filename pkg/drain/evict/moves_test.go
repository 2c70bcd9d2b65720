// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// Successors are found by their controller, and after a rolling restart by the
// Deployment; what was there before is none.
func TestMovesNamesWhereTheSuccessorsAre(t *testing.T) {
	began := time.Now()
	since := func(d time.Duration) kubetest.PodOption {
		return func(pod *corev1.Pod) { pod.CreationTimestamp = metav1.NewTime(began.Add(d)) }
	}
	restarted := func(pod *corev1.Pod) {
		kubetest.ControlledBy("apps/v1", "ReplicaSet", "web-new")(pod)
		pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "new"
	}
	pending := func(pod *corev1.Pod) {
		pod.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Message: "0/2 nodes are available"}}}
	}
	client := kubetest.NewClient(kubetest.ReplicaSet(), kubetest.Pod("web-1"), kubetest.Pod("web-2"),
		kubetest.Pod("before", kubetest.OnNode("w2"), since(-time.Hour)), kubetest.Pod("same", kubetest.OnNode("w3"), since(time.Second)),
		kubetest.Pod("after", kubetest.OnNode("w4"), since(time.Second), restarted), kubetest.Pod("nowhere", kubetest.OnNode(""),
			since(time.Second), pending),
		kubetest.Pod("leaving", kubetest.OnNode("w5"), kubetest.DeletedAt(began, 1)), kubetest.Pod("alone", kubetest.OnNode("w6"),
			kubetest.Uncontrolled, since(time.Second)))
	d := draintest.Decide(t, client, drain.Options{Force: true, GracePeriodSeconds: -1, MaxParallel: "1"})
	out := Outcome{Began: began, Evicted: []drain.Pod{d.Verdicts[0].Pod, d.Verdicts[1].Pod}}
	moves, err := Moves(t.Context(), client, d, out)
	if err != nil || len(moves) != 1 {
		t.Fatalf("%v, %v", moves, err)
	}
	if got, want := moves[0].String(), "shop/Deployment/web: 2 pods left, now on w3 (1), w4 (1), 1 without a node: 0/2 nodes are "+
		"available"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
