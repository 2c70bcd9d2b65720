// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// The scheduler's rule, member by member.
func TestWhoGetsPastACordonIsWhatTheSchedulerSays(t *testing.T) {
	const key, none, execute = corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	seconds := int64(30)
	for _, tc := range []struct {
		name string
		pod  kubetest.PodOption
		want string
	}{
		{"no toleration", kubetest.WithTolerations(), ""},
		{"Exists of the key", kubetest.WithTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists}),
			"it tolerates the taint of a cordon"},
		{"no operator is Equal with an empty value, which the taint has", kubetest.WithTolerations(corev1.Toleration{Key: key, Effect: none}),
			"it tolerates the taint of a cordon"},
		{"Equal of the empty value", kubetest.WithTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual}),
			"it tolerates the taint of a cordon"},
		{"Equal of another value", kubetest.WithTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: "true"}), ""},
		{"everything", kubetest.WithTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists}), "it tolerates every taint"},
		{"everything of NoExecute is not the cordon's", kubetest.WithTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists,
			Effect: execute}), ""},
		{"everything of NoSchedule", kubetest.WithTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: none}),
			"it tolerates every taint"},
		{"another key", kubetest.WithTolerations(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists}), ""},
		{"the second of two", kubetest.WithTolerations(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists},
			corev1.Toleration{Key: key}), "it tolerates the taint of a cordon"},
		{"seconds change nothing", kubetest.WithTolerations(corev1.Toleration{Key: key, Effect: none, TolerationSeconds: &seconds}),
			"it tolerates the taint of a cordon"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := kubetest.Pod("a", tc.pod)
			v := Decide(snapshotOf(pod), DefaultOptions()).Verdicts[0]
			if got := entrance(pod); got != tc.want || v.Tolerates != (tc.want != "") {
				t.Errorf("got %q, tolerates %v", got, v.Tolerates)
			}
			why := Arrival(pod)
			if tc.want != "" && why != tc.want || tc.want == "" && !strings.Contains(why, "does not tolerate the cordon") {
				t.Errorf("arrival is %q", why)
			}
		})
	}
}

func TestASchedulerOfItsOwnIsNamed(t *testing.T) {
	if why := Arrival(kubetest.Pod("a", func(pod *corev1.Pod) { pod.Spec.SchedulerName = "volcano" })); !strings.Contains(why,
		"the scheduler volcano") {
		t.Error(why)
	}
}
