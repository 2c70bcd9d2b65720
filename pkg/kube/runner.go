// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"fmt"
	"hash/fnv"
	"slices"

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
// node, so that a drain leaves it: it may be by what it is called (MayBeRunner), and
// it is privileged in the host's process namespace.
func IsRunner(pod *corev1.Pod, namespace string) bool {
	privileged := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
	})
	return MayBeRunner(pod, namespace) && pod.Spec.HostPID && privileged
}

// MayBeRunner reports whether a pod is called as one through which this program works
// on a node. The label alone says nothing, since a tenant can set it: the pod is in
// the namespace of the records (empty means kube-system), where only administrators
// create pods, it is named for the node that it is on, and belongs to the record of its
// name, or to nothing.
func MayBeRunner(pod *corev1.Pod, namespace string) bool {
	_, labelled := pod.Labels[RunnerLabel]
	foreign := func(o metav1.OwnerReference) bool {
		return o.APIVersion != "v1" || o.Kind != "Secret" || o.Name != pod.Name || o.Controller != nil && *o.Controller
	}
	name := RunName(pod.Spec.NodeName)
	return labelled && pod.Namespace == text.Choose(namespace == "", defaultNamespace, namespace) && pod.Spec.NodeName != "" &&
		(pod.Name == name || pod.Name == name+OnceSuffix) && !slices.ContainsFunc(pod.OwnerReferences, foreign)
}

// OnceSuffix ends the name of what an operation without a record makes.
const OnceSuffix = "-look"

// RunName is the name of a node's record, and of everything that belongs to
// it. Node names may be as long as a Secret's name may be (253), so a long one
// is cut and told apart by a hash.
func RunName(node string) string {
	const longest = 200
	if len(node) <= longest {
		return runnerPrefix + node
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(node))
	return fmt.Sprintf("%s%s-%x", runnerPrefix, node[:longest], h.Sum64())
}
