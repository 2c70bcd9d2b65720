// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// WithStaying is the decision when other pods of the nodes stay, too, of which it
// says nothing: those that Options.PodSelector leaves out. AwaitVolumes does not
// wait for what they use.
func (d Decision) WithStaying(pods []corev1.Pod) Decision {
	d.Staying = slices.Clone(d.Staying)
	for i := range pods {
		d.Staying = append(d.Staying, ClaimsOf(&pods[i])...)
	}
	return d
}
