// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// RunnerLabel marks the pods through which this program works on a node. They
// are never evicted; what is one beside the label, IsRunner says.
const RunnerLabel = "lifecycle.kubectl.io/runner"

// runnerPrefix begins the names of the pods of a run, and defaultNamespace is
// where they are.
const (
	runnerPrefix     = "lifecycle-"
	defaultNamespace = "kube-system"
)

// IsRunner reports whether a pod is one through which this program works on a
// node, so that a drain leaves it. The label alone says nothing, since a tenant
// can set it: the pod is in the namespace of the records (empty means
// kube-system), where only who may be root on every node can create one, has the
// name of a run's pod, was bound by its maker and not by a scheduler, belongs to
// no controller, and is privileged in the host's process namespace.
func IsRunner(pod *corev1.Pod, namespace string) bool {
	if _, labelled := pod.Labels[RunnerLabel]; !labelled || pod.Namespace != text.Choose(namespace == "", defaultNamespace, namespace) {
		return false
	}
	privileged := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
	})
	controlled := slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Controller != nil && *o.Controller })
	return strings.HasPrefix(pod.Name, runnerPrefix) && !controlled && pod.Spec.HostPID && privileged
}
