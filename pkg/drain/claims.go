// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Claim names a PersistentVolumeClaim in use on a node.
type Claim struct{ Node, Namespace, Name string }

// ClaimsOf are the claims that a pod uses on its node; those of ephemeral
// volumes are named after pod and volume.
func ClaimsOf(pod *corev1.Pod) []Claim {
	var out []Claim
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			out = append(out, Claim{pod.Spec.NodeName, pod.Namespace, v.PersistentVolumeClaim.ClaimName})
		case v.Ephemeral != nil:
			out = append(out, Claim{pod.Spec.NodeName, pod.Namespace, pod.Name + "-" + v.Name})
		}
	}
	return out
}

// WithStaying is the decision when other pods of the nodes stay, too, of which it
// says nothing: those that Options.PodSelector leaves out. What they use may
// stay attached.
func (d Decision) WithStaying(pods []corev1.Pod) Decision {
	d.Staying = slices.Clone(d.Staying)
	for i := range pods {
		d.Staying = append(d.Staying, ClaimsOf(&pods[i])...)
	}
	return d
}
