// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// HookWarnings say of which pods that stay until the host is cleaned a preStop hook is not
// run: the kubelet is stopped before they end, and the runtime knows no hooks. Installers
// (kata-deploy, drivers) take what they have put on the host back there. What the agents
// of pod networks leave is cleaned. It is pure.
func HookWarnings(staying []corev1.Pod) []string {
	var hooked []string
	for i := range staying {
		pod := &staying[i]
		if hooks(pod) && !kube.Finished(pod) && !agent(pod) {
			hooked = append(hooked, pod.Namespace+"/"+pod.Name)
		}
	}
	if len(hooked) == 0 {
		return nil
	}
	return []string{"a preStop hook is not run in pods that stay until the host is cleaned, and what it would tidy up on the host stays; " +
		"to have it run, keep the pods off the node first (the DaemonSet's node selector or affinity): " + text.Some(hooked)}
}

// hooks reports whether a container of a pod has a preStop hook; one that only sleeps
// tidies nothing up.
func hooks(pod *corev1.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers), func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep == nil
	})
}

// agent reports whether a pod is one of a pod network's.
func agent(pod *corev1.Pod) bool {
	ref := metav1.GetControllerOf(pod)
	return ref != nil && slices.ContainsFunc(networks.Known(), func(n networks.Network) bool {
		return ref.Name == n.DaemonSet && slices.Contains(append([]string{metav1.NamespaceSystem}, n.Namespaces...), pod.Namespace)
	})
}
