// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
)

func TestHooksThatAreNotRunAreNamed(t *testing.T) {
	run := &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"tidy-up"}}}
	with := func(preStop *corev1.LifecycleHandler, change func(*corev1.Pod)) corev1.Pod {
		pod := flowtest.Pod("p", "DaemonSet")
		pod.Spec.Containers = []corev1.Container{{Name: "main"}, {Name: "c", Lifecycle: &corev1.Lifecycle{PreStop: preStop}}}
		change(&pod)
		return pod
	}
	same := func(*corev1.Pod) {}
	for name, tc := range map[string]struct {
		pod  corev1.Pod
		want string
	}{
		"a hook of a DaemonSet's pod": {with(run, same), "shop/p"},
		"a hook over HTTP":            {with(&corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/stop"}}, same), "shop/p"},
		"a hook of a sidecar": {with(nil, func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Lifecycle: &corev1.Lifecycle{PreStop: run}}}
		}), "shop/p"},
		"a hook that only sleeps": {with(&corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}, same), ""},
		"no hook":                 {with(nil, same), ""},
		"a pod that is over":      {with(run, func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), ""},
		"the agent of a network": {with(run, func(p *corev1.Pod) {
			p.Namespace, p.OwnerReferences[0].Name = "kube-system", "calico-node"
		}), ""},
		"a pod called as an agent elsewhere": {with(run, func(p *corev1.Pod) { p.OwnerReferences[0].Name = "calico-node" }), "shop/p"},
	} {
		got := strings.Join(HookWarnings([]corev1.Pod{tc.pod}), "\n")
		if (got == "") != (tc.want == "") || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
