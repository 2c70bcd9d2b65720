// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Label marks all that a run makes in the cluster, with the operation.
const Label = podcarrier.Label

// onceSuffix ends the name of what an operation without a record makes.
const onceSuffix = kube.OnceSuffix

// Operation is one thing that is done on hosts, as this side knows it.
type Operation struct {
	Name wire.Operation
	// Recorded is true of a run, which has a record and goes on by itself. False is
	// what is answered at once (RunOnce).
	Recorded bool
}

// Operations are those that make objects in a cluster; the objects of any other are
// not this program's. What is done on a host that is no node yet (wire.Prep, wire.Join)
// goes over ssh and makes none.
func Operations() []Operation {
	return []Operation{
		{Name: wire.Inspect},
		{Name: wire.DeadMember},
		{Name: wire.LookNetwork},
		{Name: wire.ShareCertificates},
		{Name: wire.LookCertificates},
		{Name: wire.CleanNetwork},
		{Name: wire.RenewCertificates},
		{Name: wire.RunCommand},
		{Name: wire.Remove, Recorded: true},
		{Name: wire.Move, Recorded: true},
	}
}

// ProbePod is the name of the pod of a probe on a node; a node may have two.
func ProbePod(node, probe string, second bool) string {
	return NameFor(node) + "-probe-" + probe + text.Choose(second, "-2", "")
}

// IsProbePod reports whether a pod is one of a probe, in the namespace of the runs: it
// is labelled so, named for the node that it is on, and owned by nothing.
func IsProbePod(pod *corev1.Pod, namespace string) bool {
	node, probe := pod.Spec.NodeName, pod.Labels[podcarrier.ProbeLabel]
	return pod.Namespace == Cluster{Namespace: namespace}.RunNamespace() && node != "" && probe != "" &&
		pod.Labels[Label] == string(wire.ProbeNetwork) &&
		(pod.Name == ProbePod(node, probe, false) || pod.Name == ProbePod(node, probe, true)) && len(pod.OwnerReferences) == 0
}

// find returns an operation by its name.
func find(all []Operation, name wire.Operation) (Operation, bool) {
	i := slices.IndexFunc(all, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return all[i], true
}

// IsRunnerPod reports whether a pod is one of this package, in the namespace of
// the runs (empty means DefaultNamespace): beside what kube.MayBeRunner asks, its label is
// an operation.
func IsRunnerPod(pod *corev1.Pod, namespace string) bool {
	return isRunnerPod(pod, namespace, Operations())
}

func isRunnerPod(pod *corev1.Pod, namespace string, operations []Operation) bool {
	_, known := find(operations, wire.Operation(pod.Labels[Label]))
	return known && kube.MayBeRunner(pod, namespace)
}

// Others are the pods that are not this program's own way onto a node.
func Others(pods []corev1.Pod, namespace string) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool { return IsRunnerPod(&pod, namespace) })
}
