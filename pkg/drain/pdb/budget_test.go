// SPDX-License-Identifier: Apache-2.0

package pdb

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

func TestGateFollowsTheEvictionHandler(t *testing.T) {
	with := func(needed, healthy, allowed int32, changes ...func(*policyv1.PodDisruptionBudget)) []*policyv1.PodDisruptionBudget {
		pdb := kubetest.Budget("web", needed, healthy, allowed)
		for _, change := range changes {
			change(pdb)
		}
		return []*policyv1.PodDisruptionBudget{pdb}
	}
	always := func(pdb *policyv1.PodDisruptionBudget) {
		policy := policyv1.AlwaysAllow
		pdb.Spec.UnhealthyPodEvictionPolicy = &policy
	}
	ifHealthy := func(pdb *policyv1.PodDisruptionBudget) {
		policy := policyv1.IfHealthyBudget
		pdb.Spec.UnhealthyPodEvictionPolicy = &policy
	}
	stale := func(pdb *policyv1.PodDisruptionBudget) { pdb.Generation = 2 }
	crowded := func(pdb *policyv1.PodDisruptionBudget) {
		pdb.Status.DisruptedPods = map[string]metav1.Time{}
		for i := range maxDisruptedPods + 1 {
			pdb.Status.DisruptedPods[strings.Repeat("x", i)] = metav1.Time{}
		}
	}
	two := append(with(1, 2, 1), with(1, 2, 1)...)
	for _, tc := range []struct {
		name string
		pod  *corev1.Pod
		pdbs []*policyv1.PodDisruptionBudget
		want Gate
	}{
		{"without a budget a pod is free", kubetest.Pod("a"), nil, Free},
		{"a budget with room is spent", kubetest.Pod("a"), with(1, 2, 1), Spend},
		{"a budget without room is closed", kubetest.Pod("a"), with(2, 2, 0), Closed},
		{"a negative budget is closed", kubetest.Pod("a"), with(2, 2, -1), Closed},
		{"a stale budget is closed, whatever it says", kubetest.Pod("a"), with(1, 2, 1, stale), Closed},
		{"too many unconfirmed evictions close it", kubetest.Pod("a"), with(1, 2, 1, crowded), Closed},
		{"two budgets are too many", kubetest.Pod("a"), two, Several},
		{"two budgets do not matter to a pending pod", kubetest.Pod("a", kubetest.InPhase(corev1.PodPending)), two, Free},
		{"no budget keeps a finished pod", kubetest.Pod("a", kubetest.InPhase(corev1.PodFailed)), with(2, 2, 0), Free},
		{"no budget keeps a pod that is stopping", kubetest.Pod("a", kubetest.DeletedAt(time.Unix(0, 0), 1)), with(2, 2, 0), Free},
		{"an unready pod goes while the others suffice", kubetest.Pod("a", kubetest.Unready), with(2, 2, 0), Free},
		{"an unready pod goes while the others suffice, said aloud", kubetest.Pod("a", kubetest.Unready), with(2, 2, 0, ifHealthy), Free},
		{"an unready pod stays while the others do not suffice", kubetest.Pod("a", kubetest.Unready), with(2, 1, 0), Closed},
		{"an unready pod stays if nothing is needed yet", kubetest.Pod("a", kubetest.Unready), with(0, 0, 0), Closed},
		{"an unready pod always goes under AlwaysAllow", kubetest.Pod("a", kubetest.Unready), with(2, 1, 0, always), Free},
		{"an unready pod goes under a stale budget that suffices", kubetest.Pod("a", kubetest.Unready), with(2, 2, 0, stale), Free},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := GateOf(tc.pod, tc.pdbs); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestGuardsMatchLikeTheServer(t *testing.T) {
	everything, nothing, broken, elsewhere := kubetest.Budget("b", 1, 1, 0), kubetest.Budget("c", 1, 1, 0), kubetest.Budget("d", 1, 1,
		0), kubetest.Budget("e", 1, 1, 0)
	everything.Spec.Selector = &metav1.LabelSelector{}
	nothing.Spec.Selector = nil
	broken.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Sideways"}}}
	elsewhere.Namespace = "other"
	g := NewGuards([]*policyv1.PodDisruptionBudget{elsewhere, broken, nothing, everything, kubetest.Budget("a", 1, 1, 0)})
	var got []string
	for _, pdb := range g.Of(kubetest.Pod("p")) {
		got = append(got, pdb.Name)
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
