// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

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
	if _, labelled := pod.Labels[RunnerLabel]; !labelled || pod.Namespace != choose(namespace == "", defaultNamespace, namespace) {
		return false
	}
	privileged := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool {
		return c.SecurityContext != nil && c.SecurityContext.Privileged != nil && *c.SecurityContext.Privileged
	})
	controlled := slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Controller != nil && *o.Controller })
	return strings.HasPrefix(pod.Name, runnerPrefix) && !controlled && pod.Spec.HostPID && privileged
}

// cordonTaint is the taint that the scheduler sees on a cordoned node
// (node_unschedulable.go of the scheduler, Kubernetes 1.37).
func cordonTaint() *corev1.Taint {
	return &corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule}
}

// toleration is the one by which a pod gets past a taint, by the scheduler's own
// rule; nil if it has none.
func toleration(pod *corev1.Pod, taint *corev1.Taint) *corev1.Toleration {
	for i := range pod.Spec.Tolerations {
		if pod.Spec.Tolerations[i].ToleratesTaint(klog.Logger{}, taint, true) {
			return &pod.Spec.Tolerations[i]
		}
	}
	return nil
}

// entrance says how a pod gets past a cordon; empty if it does not.
func entrance(pod *corev1.Pod) string {
	t := toleration(pod, cordonTaint())
	switch {
	case t == nil:
		return ""
	case t.Key == "":
		return "it tolerates every taint"
	}
	return "it tolerates the taint of a cordon"
}

// arrival says how a pod that is on a cordoned node may have come there. Only the
// toleration is certain: how else it came cannot be seen on the pod.
func arrival(pod *corev1.Pod) string {
	if why := entrance(pod); why != "" {
		return why
	}
	if name := pod.Spec.SchedulerName; name != "" && name != corev1.DefaultSchedulerName {
		return "it does not tolerate the cordon: the scheduler " + name + " put it there, or it was bound before the cordon took effect"
	}
	return "it does not tolerate the cordon: it was bound before the cordon took effect, or without the scheduler"
}
