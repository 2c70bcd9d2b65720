// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

func TestWhyAPodGetsNoSandbox(t *testing.T) {
	event := func(name, reason, uid, message string, at int64) *corev1.Event {
		return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "net", Name: name}, Reason: reason, Message: message,
			InvolvedObject: corev1.ObjectReference{Name: "agent", UID: types.UID(uid)}, LastTimestamp: metav1.NewTime(time.Unix(at, 0))}
	}
	client := fake.NewClientset(
		event("a", "FailedCreatePodSandBox", "1", "an older one", 1),
		event("b", "FailedCreatePodSandBox", "1", "open /run/x:\x1b[2J no such file "+strings.Repeat("y", 1000), 3),
		event("c", "Scheduled", "1", "fine", 4), event("d", "FailedCreatePodSandBox", "2", "of a pod that is gone", 5))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "net", Name: "agent", UID: "1"}}
	got := SandboxFailure(t.Context(), client, pod)
	if !strings.HasPrefix(got, "open /run/x:[2J no such file") || len(got) > 300 {
		t.Errorf("%q", got)
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue}}
	if got := SandboxFailure(t.Context(), client, pod); got != "" {
		t.Errorf("of one that has its sandbox: %q", got)
	}
	if got := SandboxFailure(t.Context(), client, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "net", Name: "x"}}); got != "" {
		t.Errorf("of another: %q", got)
	}
}
