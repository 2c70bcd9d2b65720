// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Pods that do not die have different reasons, and different ways out.
func TestLingering(t *testing.T) {
	now := time.Now()
	held := func(pod *corev1.Pod) { pod.Finalizers = []string{"example.org/hold"} }
	ended := func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}
	}
	late := deletedAt(now.Add(-time.Minute), 30)
	for name, c := range map[string]struct {
		pod    *corev1.Pod
		silent bool
		want   string
	}{
		"within its grace":        {makePod("p", deletedAt(now.Add(10*time.Second), 30)), true, ""},
		"just over":               {makePod("p", deletedAt(now.Add(-time.Second), 30)), false, ""},
		"a silent kubelet":        {makePod("p", late, held), true, "kubelet does not answer"},
		"a finalizer, stopped":    {makePod("p", late, held, inPhase(corev1.PodSucceeded)), false, "has stopped and is held by the finalizer example.org/hold"},
		"a finalizer, running":    {makePod("p", late, held), false, "held by the finalizer example.org/hold"},
		"volumes":                 {claiming(makePod("p", late, ended), "data"), false, "PersistentVolumeClaim data"},
		"stopped, without volume": {makePod("p", late, ended), false, "has not cleaned up yet"},
		"nobody knows":            {makePod("p", late), false, "has not confirmed that it stopped"},
	} {
		if got := lingering(c.pod, c.silent, now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
