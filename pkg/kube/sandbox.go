// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostEvents bounds how many events are read of a pod: the kubelet counts up the same one.
const mostEvents = 64

// SandboxFailure is why a kubelet cannot make the sandbox of a pod, by its newest event
// of that (pkg/kubelet/events, 1.36: FailedCreatePodSandBox); empty if it can, or if
// nothing tells. A pod without one has no status of a container that would: it is
// "starting" for as long as one waits (kubernetes/kubeadm#1124).
func SandboxFailure(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) string {
	const reason = "FailedCreatePodSandBox"
	for _, c := range pod.Status.Conditions { // since 1.29: it has one
		if c.Type == corev1.PodReadyToStartContainers && c.Status == corev1.ConditionTrue {
			return ""
		}
	}
	list, err := client.CoreV1().Events(pod.Namespace).List(ctx, metav1.ListOptions{
		Limit: mostEvents, FieldSelector: fields.Set{"involvedObject.name": pod.Name, "reason": reason}.String(),
	})
	if err != nil {
		return ""
	}
	var newest corev1.Event
	for _, e := range list.Items {
		if e.Reason == reason && e.InvolvedObject.UID == pod.UID && !e.LastTimestamp.Before(&newest.LastTimestamp) {
			newest = e
		}
	}
	return text.Brief(newest.Message)
}
