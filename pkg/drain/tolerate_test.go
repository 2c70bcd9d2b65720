// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// asRunner makes a pod one of a run.
func asRunner(pod *corev1.Pod) {
	yes := true
	uncontrolled(pod)
	pod.Namespace, pod.Labels["lifecycle.kubectl.io/runner"], pod.Spec.HostPID = "kube-system", "remove", true
	pod.Spec.Containers = []corev1.Container{{Name: "door", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}
}

func unprivileged(pod *corev1.Pod) { pod.Spec.Containers[0].SecurityContext = nil }

func TestTheNamespaceOfARunIsAsked(t *testing.T) {
	pod := makePod("lifecycle-w1", asRunner, inNamespace("ops"))
	if IsRunner(pod, "") || !IsRunner(pod, "ops") || IsRunner(pod, "kube-system") {
		t.Error("the namespace is not what decides")
	}
}

func withTolerations(all ...corev1.Toleration) podOption {
	return func(pod *corev1.Pod) { pod.Spec.Tolerations = all }
}

// The scheduler's rule, member by member.
func TestWhoGetsPastACordonIsWhatTheSchedulerSays(t *testing.T) {
	const key, none, execute = corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	seconds := int64(30)
	for _, tc := range []struct {
		name string
		pod  podOption
		want string
	}{
		{"no toleration", withTolerations(), ""},
		{"Exists of the key", withTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists}), "it tolerates the taint of a cordon"},
		{"no operator is Equal with an empty value, which the taint has", withTolerations(corev1.Toleration{Key: key, Effect: none}), "it tolerates the taint of a cordon"},
		{"Equal of the empty value", withTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual}), "it tolerates the taint of a cordon"},
		{"Equal of another value", withTolerations(corev1.Toleration{Key: key, Operator: corev1.TolerationOpEqual, Value: "true"}), ""},
		{"everything", withTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists}), "it tolerates every taint"},
		{"everything of NoExecute is not the cordon's", withTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: execute}), ""},
		{"everything of NoSchedule", withTolerations(corev1.Toleration{Operator: corev1.TolerationOpExists, Effect: none}), "it tolerates every taint"},
		{"another key", withTolerations(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists}), ""},
		{"the second of two", withTolerations(corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpExists}, corev1.Toleration{Key: key}), "it tolerates the taint of a cordon"},
		{"seconds change nothing", withTolerations(corev1.Toleration{Key: key, Effect: none, TolerationSeconds: &seconds}), "it tolerates the taint of a cordon"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pod := makePod("a", tc.pod)
			v := Decide(snapshotOf(pod), DefaultOptions()).Verdicts[0]
			if got := entrance(pod); got != tc.want || v.Tolerates != (tc.want != "") {
				t.Errorf("got %q, tolerates %v", got, v.Tolerates)
			}
			why := arrival(pod)
			if tc.want != "" && why != tc.want || tc.want == "" && !strings.Contains(why, "does not tolerate the cordon") {
				t.Errorf("arrival is %q", why)
			}
		})
	}
}

func TestASchedulerOfItsOwnIsNamed(t *testing.T) {
	if why := arrival(makePod("a", func(pod *corev1.Pod) { pod.Spec.SchedulerName = "volcano" })); !strings.Contains(why, "the scheduler volcano") {
		t.Error(why)
	}
}
