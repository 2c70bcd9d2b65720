// SPDX-License-Identifier: Apache-2.0

package pdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Matching tells which budgets match a pod. That is asked for every pod at
// every event, so it is worked out again only if the pod or a selector changed.
type Matching struct {
	guards Guards
	byUID  map[types.UID]*policyv1.PodDisruptionBudget
	// shape is equal as long as no budget came, went or changed its spec.
	shape string
}

// Match is what was found for one pod. The zero value is for one that was not
// looked at yet.
type Match struct {
	shape, version string
	budgets        []types.UID
}

// NewMatching begins with the budgets of a cluster.
func NewMatching(pdbs []*policyv1.PodDisruptionBudget) *Matching {
	m := &Matching{guards: NewGuards(pdbs), byUID: make(map[types.UID]*policyv1.PodDisruptionBudget, len(pdbs))}
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

// Of returns the budgets that match the pod, and keeps what was found in known.
func (m *Matching) Of(pod *corev1.Pod, known *Match) []*policyv1.PodDisruptionBudget {
	if known.shape != m.shape || known.version != pod.ResourceVersion || pod.ResourceVersion == "" {
		*known = Match{shape: m.shape, version: pod.ResourceVersion}
		for _, pdb := range m.guards.Of(pod) {
			known.budgets = append(known.budgets, pdb.UID)
		}
	}
	var out []*policyv1.PodDisruptionBudget
	for _, uid := range known.budgets {
		out = append(out, m.byUID[uid])
	}
	return out
}
