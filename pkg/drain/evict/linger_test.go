// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Pods that do not die have different reasons, and different ways out.
func TestLingering(t *testing.T) {
	now := time.Now()
	held := func(pod *corev1.Pod) { pod.Finalizers = []string{"example.org/hold"} }
	ended := func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}
	}
	late := kubetest.DeletedAt(now.Add(-time.Minute), 30)
	for name, c := range map[string]struct {
		pod    *corev1.Pod
		silent bool
		want   string
	}{
		"within its grace": {kubetest.Pod("p", kubetest.DeletedAt(now.Add(10*time.Second), 30)), true, ""},
		"just over":        {kubetest.Pod("p", kubetest.DeletedAt(now.Add(-time.Second), 30)), false, ""},
		"a silent kubelet": {kubetest.Pod("p", late, held), true, "kubelet does not answer"},
		"a finalizer, stopped": {kubetest.Pod("p", late, held, kubetest.InPhase(corev1.PodSucceeded)), false,
			"has stopped and is held by the finalizer example.org/hold"},
		"a finalizer, running":    {kubetest.Pod("p", late, held), false, "held by the finalizer example.org/hold"},
		"volumes":                 {kubetest.Claiming(kubetest.Pod("p", late, ended), "data"), false, "PersistentVolumeClaim data"},
		"stopped, without volume": {kubetest.Pod("p", late, ended), false, "has not cleaned up yet"},
		"nobody knows":            {kubetest.Pod("p", late), false, "has not confirmed that it stopped"},
	} {
		if got, _ := lingering(c.pod, c.silent, now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Where describing the pod shows nothing, another way out is said.
func TestTheWayOutForAPodThatLingers(t *testing.T) {
	now := time.Now()
	late := kubetest.DeletedAt(now.Add(-time.Minute), 30)
	pending := func(statuses ...corev1.ContainerStatus) *corev1.Pod {
		pod := kubetest.Pod("p", late, kubetest.InPhase(corev1.PodPending))
		pod.UID, pod.Status.ContainerStatuses = "u-1", statuses
		return pod
	}
	waits := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}
	ran := waits
	ran.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{}
	stopped := pending(corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}})
	const force = "kubectl -n shop delete pod p --force --grace-period=0"
	for name, c := range map[string]struct {
		pod    *corev1.Pod
		silent bool
		want   string
	}{
		"stopped, a volume is busy":               {stopped, false, "journalctl -u kubelet | grep u-1"},
		"its resources were never prepared":       {pending(), false, force},
		"its containers wait":                     {pending(waits, waits), false, force},
		"one of them has run":                     {pending(waits, ran), false, ""},
		"it may run, its kubelet does not answer": {pending(), true, ""},
		"it runs": {kubetest.Pod("p", late), false, ""},
	} {
		if _, got := lingering(c.pod, c.silent, now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestAPodThatNeverStartedIsToldWithItsLastWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pod := kubetest.Pod("claims", kubetest.InPhase(corev1.PodPending))
		event := func(name, kind, reason string, at time.Time) *corev1.Event {
			return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: name}, Type: kind, Reason: reason,
				Message: "no claim", LastTimestamp: metav1.NewTime(at),
				InvolvedObject: corev1.ObjectReference{UID: pod.UID, Name: pod.Name, Namespace: pod.Namespace}}
		}
		now := time.Now()
		s := newServer(t, pod, event("a", corev1.EventTypeWarning, "FailedMount", now.Add(-time.Hour)),
			event("b", corev1.EventTypeWarning, "FailedPrepareDynamicResources", now),
			event("c", corev1.EventTypeNormal, "Killing", now.Add(time.Hour)))
		s.stuck = true
		o := drain.DefaultOptions()
		o.Timeout = time.Minute
		evict(t, t.Context(), s, o).fails(t, plan.TimedOut, "it never started", "(FailedPrepareDynamicResources: no claim): shop/claims",
			"kubectl -n shop delete pod claims --force --grace-period=0")
	})
}
