// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
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
		if got := lingering(c.pod, c.silent, now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
