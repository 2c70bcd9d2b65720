// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestGateFollowsTheEvictionHandler(t *testing.T) {
	with := func(needed, healthy, allowed int32, changes ...func(*policyv1.PodDisruptionBudget)) []*policyv1.PodDisruptionBudget {
		pdb := makeBudget("web", needed, healthy, allowed)
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
		want gate
	}{
		{"without a budget a pod is free", makePod("a"), nil, gateFree},
		{"a budget with room is spent", makePod("a"), with(1, 2, 1), gateSpend},
		{"a budget without room is closed", makePod("a"), with(2, 2, 0), gateClosed},
		{"a negative budget is closed", makePod("a"), with(2, 2, -1), gateClosed},
		{"a stale budget is closed, whatever it says", makePod("a"), with(1, 2, 1, stale), gateClosed},
		{"too many unconfirmed evictions close it", makePod("a"), with(1, 2, 1, crowded), gateClosed},
		{"two budgets are too many", makePod("a"), two, gateSeveral},
		{"two budgets do not matter to a pending pod", makePod("a", inPhase(corev1.PodPending)), two, gateFree},
		{"no budget keeps a finished pod", makePod("a", inPhase(corev1.PodFailed)), with(2, 2, 0), gateFree},
		{"no budget keeps a pod that is stopping", makePod("a", deletedAt(time.Unix(0, 0), 1)), with(2, 2, 0), gateFree},
		{"an unready pod goes while the others suffice", makePod("a", unready), with(2, 2, 0), gateFree},
		{"an unready pod goes while the others suffice, said aloud", makePod("a", unready), with(2, 2, 0, ifHealthy), gateFree},
		{"an unready pod stays while the others do not suffice", makePod("a", unready), with(2, 1, 0), gateClosed},
		{"an unready pod stays if nothing is needed yet", makePod("a", unready), with(0, 0, 0), gateClosed},
		{"an unready pod always goes under AlwaysAllow", makePod("a", unready), with(2, 1, 0, always), gateFree},
		{"an unready pod goes under a stale budget that suffices", makePod("a", unready), with(2, 2, 0, stale), gateFree},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := gateOf(tc.pod, tc.pdbs); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestGuardsMatchLikeTheServer(t *testing.T) {
	everything, nothing, broken, elsewhere := makeBudget("b", 1, 1, 0), makeBudget("c", 1, 1, 0), makeBudget("d", 1, 1, 0), makeBudget("e", 1, 1, 0)
	everything.Spec.Selector = &metav1.LabelSelector{}
	nothing.Spec.Selector = nil
	broken.Spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Sideways"}}}
	elsewhere.Namespace = "other"
	g := newGuards([]*policyv1.PodDisruptionBudget{elsewhere, broken, nothing, everything, makeBudget("a", 1, 1, 0)})
	var got []string
	for _, pdb := range g.of(makePod("p")) {
		got = append(got, pdb.Name)
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBudgetsSayWhatWouldUnblock(t *testing.T) {
	deployment := Owners{{Kind: "ReplicaSet", Name: "web-7c"}, {Kind: "Deployment", Name: "web"}}
	change := func(expected int32, set func(*policyv1.PodDisruptionBudget)) Budget {
		pdb := makeBudget("web", 2, 2, 0)
		pdb.Status.ExpectedPods = expected
		set(pdb)
		return describe(pdb)
	}
	percent := intstr.FromString("100%")
	zero := intstr.FromInt32(0)
	for _, tc := range []struct {
		name   string
		budget Budget
		owners Owners
		want   string
	}{
		{"one more replica, if minAvailable is a number", change(2, func(*policyv1.PodDisruptionBudget) {}), deployment, "kubectl -n shop scale deployment/web --replicas=3"},
		{"an edit, if the owner cannot be scaled", change(2, func(*policyv1.PodDisruptionBudget) {}), Owners{{Kind: "Widget", Name: "w"}}, "kubectl -n shop edit pdb web"},
		{"an edit, if all must be available", change(2, func(p *policyv1.PodDisruptionBudget) { p.Spec.MinAvailable = &percent }), deployment, "(minAvailable 100% of 2 pods): kubectl -n shop edit pdb web"},
		{"an edit, if none may be unavailable", change(2, func(p *policyv1.PodDisruptionBudget) { p.Spec.MinAvailable, p.Spec.MaxUnavailable = nil, &zero }), deployment, "kubectl -n shop edit pdb web"},
		{"patience, if other pods are not Ready", change(3, func(*policyv1.PodDisruptionBudget) {}), deployment, "kubectl -n shop get pods -l app=web"},
		{"a look, if the controller cannot work it out", change(2, func(p *policyv1.PodDisruptionBudget) {
			p.Status.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason, Message: "no scale"}}
		}), deployment, "kubectl -n shop describe pdb web"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := unblock(tc.budget, tc.owners); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	if got := backoff(0, time.Second, time.Minute); got != 0 {
		t.Errorf("no failure waits %s", got)
	}
	for n, want := range map[int]time.Duration{1: time.Second, 3: 4 * time.Second, 7: time.Minute, 500: time.Minute} {
		if got := backoff(n, time.Second, time.Minute); got < want*8/10 || got > want*12/10 {
			t.Errorf("failure %d waits %s, want about %s", n, got, want)
		}
	}
}
