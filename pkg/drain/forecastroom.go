// SPDX-License-Identifier: Apache-2.0

package drain

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// room says where the successors of pods would find a place.
type room struct{}

func newRoom([]corev1.Node) *room { return &room{} }

func (r *room) add(*corev1.Pod) {}

func (r *room) volumes([]corev1.PersistentVolumeClaim, []corev1.PersistentVolume) {}

// homeless are the reasons for which the successors of some pods would stay
// Pending without the nodes, by the pod's UID.
func (r *room) homeless([]*corev1.Pod, []string) map[types.UID][]string { return nil }
