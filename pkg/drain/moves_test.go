// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Successors are found by their controller, and after a rolling restart by the
// Deployment; what was there before is none.
func TestMovesNamesWhereTheSuccessorsAre(t *testing.T) {
	began := time.Now()
	since := func(d time.Duration) podOption {
		return func(pod *corev1.Pod) { pod.CreationTimestamp = metav1.NewTime(began.Add(d)) }
	}
	restarted := func(pod *corev1.Pod) {
		controlledBy("apps/v1", "ReplicaSet", "web-new")(pod)
		pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = "new"
	}
	pending := func(pod *corev1.Pod) {
		pod.Status = corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/2 nodes are available"}}}
	}
	client := newClient(makeReplicaSet(), makePod("web-1"), makePod("web-2"),
		makePod("before", onNode("w2"), since(-time.Hour)), makePod("same", onNode("w3"), since(time.Second)),
		makePod("after", onNode("w4"), since(time.Second), restarted), makePod("nowhere", onNode(""), since(time.Second), pending),
		makePod("leaving", onNode("w5"), deletedAt(began, 1)), makePod("alone", onNode("w6"), uncontrolled, since(time.Second)))
	d := decideFor(t, client, Options{Force: true, GracePeriodSeconds: -1, MaxParallel: "1"})
	out := Outcome{Began: began, Evicted: []Pod{d.Verdicts[0].Pod, d.Verdicts[1].Pod}}
	moves, err := Moves(t.Context(), client, d, out)
	if err != nil || len(moves) != 1 {
		t.Fatalf("%v, %v", moves, err)
	}
	if got, want := moves[0].String(), "shop/Deployment/web: 2 pods left, now on w3 (1), w4 (1), 1 without a node: 0/2 nodes are available"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
