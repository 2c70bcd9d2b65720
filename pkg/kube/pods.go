// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// PodReady reports whether the pod is Ready.
func PodReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Finished reports whether the pod has run to its end.
func Finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// HasEmptyDir reports whether the pod has data that goes with it.
func HasEmptyDir(pod *corev1.Pod) bool {
	for _, volume := range pod.Spec.Volumes {
		if volume.EmptyDir != nil {
			return true
		}
	}
	return false
}

// IsApps reports whether an owner is of this kind of apps/v1.
func IsApps(ref *metav1.OwnerReference, kind string) bool {
	return ref != nil && ref.Kind == kind && ref.APIVersion == appsv1.SchemeGroupVersion.String()
}

// Toleration is the one by which a pod gets past a taint, by the scheduler's own
// rule; nil if it has none.
func Toleration(pod *corev1.Pod, taint *corev1.Taint) *corev1.Toleration {
	for i := range pod.Spec.Tolerations {
		if pod.Spec.Tolerations[i].ToleratesTaint(klog.Logger{}, taint, true) {
			return &pod.Spec.Tolerations[i]
		}
	}
	return nil
}

// Wanted is the number of replicas that a spec asks for; the API takes none for one.
func Wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

// StaticPods are those of the pods of kube-system that are a control plane's static pods: named
// as the kubelet names a mirror pod, and on a control plane. A worker's kubelet makes mirror
// pods of any name and label on its own Node, and says nothing of the cluster by them.
func StaticPods(pods []corev1.Pod, nodes []corev1.Node) []corev1.Pod {
	planes := map[string]bool{}
	for i := range nodes {
		planes[nodes[i].Name] = IsControlPlane(&nodes[i])
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool {
		_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
		return !mirror || !planes[p.Spec.NodeName] || p.Name != p.Labels["component"]+"-"+p.Spec.NodeName || len(p.Spec.Containers) == 0
	})
}
