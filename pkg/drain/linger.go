// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// lingering says why a pod that should be gone is still there; empty while its
// grace period lasts. The order is that of the proofs: a silent kubelet
// confirms nothing, a finalizer is kept whatever the kubelet says, containers
// that have ended leave volumes to be unmounted.
func lingering(pod *corev1.Pod, silent bool, now time.Time) string {
	const tolerance = 5 * time.Second
	switch late := now.Sub(pod.DeletionTimestamp.Time); {
	case late < tolerance:
		return ""
	case silent:
		return "past its grace period, and its node's kubelet does not answer: nobody can confirm that it stopped"
	case len(pod.Finalizers) > 0 && finished(pod):
		return fmt.Sprintf("it has stopped and is held by the finalizer %s", pod.Finalizers[0])
	case stopped(pod):
		return "its containers have stopped and its kubelet has not cleaned up yet" + claimed(pod)
	case len(pod.Finalizers) > 0:
		return fmt.Sprintf("past its grace period, held by the finalizer %s", pod.Finalizers[0])
	}
	return "past its grace period, its kubelet has not confirmed that it stopped"
}

// stopped reports whether every container of the pod is known to have ended.
func stopped(pod *corev1.Pod) bool {
	all := pod.Status.ContainerStatuses
	for _, c := range all {
		if c.State.Terminated == nil {
			return false
		}
	}
	return len(all) > 0
}

// claimed names the claims whose volumes may be what is waited for.
func claimed(pod *corev1.Pod) string {
	var names []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": its volumes are still mounted (PersistentVolumeClaim " + strings.Join(names, ", ") + ")"
}
