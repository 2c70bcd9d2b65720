// SPDX-License-Identifier: Apache-2.0

package kube

import (
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
