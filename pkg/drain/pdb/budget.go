// SPDX-License-Identifier: Apache-2.0

package pdb

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxDisruptedPods is the number of unconfirmed evictions from which on the API
// server refuses more (Kubernetes 1.36, pkg/registry/core/pod/storage).
const maxDisruptedPods = 2000

// Budget is a PodDisruptionBudget in numbers.
type Budget struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Rule is the spec in words: "minAvailable 2".
	Rule     string `json:"rule"`
	Selector string `json:"selector"`
	// Needed, CurrentHealthy, DisruptionsAllowed and Expected are the counts
	// of pods in the status.
	Needed             int32 `json:"needed"`
	CurrentHealthy     int32 `json:"currentHealthy"`
	DisruptionsAllowed int32 `json:"disruptionsAllowed"`
	Expected           int32 `json:"expected"`
	// Trouble says why the numbers cannot be trusted; empty if they can.
	Trouble string `json:"trouble,omitempty"`
	// Never is true if the budget would allow no eviction even with every pod
	// healthy.
	Never bool `json:"never,omitempty"`
}

// String is namespace/name.
func (b Budget) String() string { return b.Namespace + "/" + b.Name }

// Numbers is the budget in words: "minAvailable 2: needs 2 healthy pods, has
// 2, 0 may go".
func (b Budget) Numbers() string {
	if b.Trouble != "" {
		return b.Rule + ": " + b.Trouble
	}
	return fmt.Sprintf("%s: needs %s, has %d, %d may go", b.Rule, text.Count(int(b.Needed), "healthy pod"), b.CurrentHealthy,
		b.DisruptionsAllowed)
}

// Describe turns a PodDisruptionBudget into numbers.
func Describe(pdb *policyv1.PodDisruptionBudget) Budget {
	b := Budget{
		Namespace:          pdb.Namespace,
		Name:               pdb.Name,
		Rule:               Rule(pdb.Spec),
		Selector:           metav1.FormatLabelSelector(pdb.Spec.Selector),
		Needed:             pdb.Status.DesiredHealthy,
		CurrentHealthy:     pdb.Status.CurrentHealthy,
		DisruptionsAllowed: pdb.Status.DisruptionsAllowed,
		Expected:           pdb.Status.ExpectedPods,
	}
	switch {
	case pdb.Status.ObservedGeneration < pdb.Generation:
		b.Trouble = "the disruption controller has not seen its last change"
	case SyncFailed(pdb):
		sync := meta.FindStatusCondition(pdb.Status.Conditions, policyv1.DisruptionAllowedCondition)
		b.Trouble = "the disruption controller cannot work it out: " + sync.Message
	case len(pdb.Status.DisruptedPods) > maxDisruptedPods:
		b.Trouble = "too many evictions are not confirmed yet"
	default:
		b.Never = b.Expected > 0 && b.Needed >= b.Expected
	}
	return b
}

// SyncFailed reports whether the disruption controller gave up on the budget,
// most often because the percentage of something without a scale is asked for.
func SyncFailed(pdb *policyv1.PodDisruptionBudget) bool {
	sync := meta.FindStatusCondition(pdb.Status.Conditions, policyv1.DisruptionAllowedCondition)
	return sync != nil && sync.Status == metav1.ConditionFalse && sync.Reason == policyv1.SyncFailedReason
}

// Rule is the spec in words: "minAvailable 2".
func Rule(spec policyv1.PodDisruptionBudgetSpec) string {
	text := func(name string, v *intstr.IntOrString) string { return name + " " + v.String() }
	switch {
	case spec.MinAvailable != nil:
		return text("minAvailable", spec.MinAvailable)
	case spec.MaxUnavailable != nil:
		return text("maxUnavailable", spec.MaxUnavailable)
	}
	return "no rule"
}

// guard is a budget with its selector parsed once.
type guard struct {
	pdb      *policyv1.PodDisruptionBudget
	selector labels.Selector
}

// Guards are the budgets of a cluster by namespace, sorted by name.
type Guards map[string][]guard

// NewGuards leaves out budgets with an invalid selector, as the server does.
// An empty selector matches every pod of the namespace, a missing one none.
func NewGuards(pdbs []*policyv1.PodDisruptionBudget) Guards {
	out := Guards{}
	for _, pdb := range pdbs {
		selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
		if err != nil {
			continue
		}
		out[pdb.Namespace] = append(out[pdb.Namespace], guard{pdb: pdb, selector: selector})
	}
	for _, list := range out {
		sort.Slice(list, func(i, j int) bool { return list[i].pdb.Name < list[j].pdb.Name })
	}
	return out
}

// Of returns the budgets that match the pod.
func (g Guards) Of(pod *corev1.Pod) []*policyv1.PodDisruptionBudget {
	var out []*policyv1.PodDisruptionBudget
	for _, one := range g[pod.Namespace] {
		if one.selector.Matches(labels.Set(pod.Labels)) {
			out = append(out, one.pdb)
		}
	}
	return out
}

// Broken are those that the disruption controller gave up on.
func (g Guards) Broken() Guards {
	out := Guards{}
	for namespace, list := range g {
		if hurt := slices.DeleteFunc(slices.Clone(list), func(one guard) bool { return !SyncFailed(one.pdb) }); len(hurt) > 0 {
			out[namespace] = hurt
		}
	}
	return out
}

// Gate is how the API server would answer an eviction right now.
type Gate int

const (
	// Free means that no budget has a say.
	Free Gate = iota
	// Spend means that it is allowed, and one disruption of the budget is spent.
	Spend
	// Closed means that the budget refuses.
	Closed
	// Several means that more than one budget matches, which the eviction API
	// answers with an error (kubernetes/kubernetes#75957).
	Several
)

// GateOf follows the rules of the eviction handler (Kubernetes 1.36,
// pkg/registry/core/pod/storage/eviction.go) in their order.
func GateOf(pod *corev1.Pod, pdbs []*policyv1.PodDisruptionBudget) Gate {
	if kube.Finished(pod) || pod.Status.Phase == corev1.PodPending || pod.DeletionTimestamp != nil {
		return Free
	}
	switch len(pdbs) {
	case 0:
		return Free
	case 1:
	default:
		return Several
	}
	pdb := pdbs[0]
	status := pdb.Status
	if !kube.PodReady(pod) {
		always := pdb.Spec.UnhealthyPodEvictionPolicy != nil && *pdb.Spec.UnhealthyPodEvictionPolicy == policyv1.AlwaysAllow
		if always || status.CurrentHealthy >= status.DesiredHealthy && status.DesiredHealthy > 0 {
			return Free
		}
	}
	stale := status.ObservedGeneration < pdb.Generation
	if stale || status.DisruptionsAllowed <= 0 || len(status.DisruptedPods) > maxDisruptedPods {
		return Closed
	}
	return Spend
}

// Names are the names of budgets, for a person.
func Names(budgets []Budget) string {
	names := make([]string, 0, len(budgets))
	for _, b := range budgets {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}
