// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
)

// matching tells which budgets match a pod. That is asked for every pod at
// every event, so it is worked out anew only if the pod or a selector changed.
type matching struct {
	guards guards
	byUID  map[types.UID]*policyv1.PodDisruptionBudget
	// shape is equal as long as no budget came, went or changed its spec.
	shape string
}

// match is what was found for one pod. The zero value is for one that was not
// looked at yet.
type match struct {
	shape, version string
	budgets        []types.UID
}

func newMatching(pdbs []*policyv1.PodDisruptionBudget) *matching {
	m := &matching{guards: newGuards(pdbs), byUID: make(map[types.UID]*policyv1.PodDisruptionBudget, len(pdbs))}
	var shape strings.Builder
	for _, pdb := range pdbs {
		m.byUID[pdb.UID] = pdb
	}
	for _, uid := range slices.Sorted(maps.Keys(m.byUID)) {
		fmt.Fprintf(&shape, "%s %d\n", uid, m.byUID[uid].Generation)
	}
	m.shape = shape.String()
	return m
}

// of returns the budgets that match the pod, and keeps what was found in known.
func (m *matching) of(pod *corev1.Pod, known *match) []*policyv1.PodDisruptionBudget {
	if known.shape != m.shape || known.version != pod.ResourceVersion || pod.ResourceVersion == "" {
		*known = match{shape: m.shape, version: pod.ResourceVersion}
		for _, pdb := range m.guards.of(pod) {
			known.budgets = append(known.budgets, pdb.UID)
		}
	}
	var out []*policyv1.PodDisruptionBudget
	for _, uid := range known.budgets {
		out = append(out, m.byUID[uid])
	}
	return out
}
