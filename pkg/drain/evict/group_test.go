// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"strings"
	"testing"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

func TestBudgetsSayWhatWouldUnblock(t *testing.T) {
	deployment := drain.Owners{{Kind: "ReplicaSet", Name: "web-7c"}, {Kind: "Deployment", Name: "web"}}
	change := func(expected int32, set func(*policyv1.PodDisruptionBudget)) pdb.Budget {
		budget := kubetest.Budget("web", 2, 2, 0)
		budget.Status.ExpectedPods = expected
		set(budget)
		return pdb.Describe(budget)
	}
	percent := intstr.FromString("100%")
	zero := intstr.FromInt32(0)
	for _, tc := range []struct {
		name   string
		budget pdb.Budget
		owners drain.Owners
		want   string
	}{
		{"one more replica, if minAvailable is a number", change(2, func(*policyv1.PodDisruptionBudget) {}), deployment,
			"kubectl -n shop scale deployment/web --replicas=3"},
		{"an edit, if the owner cannot be scaled", change(2, func(*policyv1.PodDisruptionBudget) {}), drain.Owners{{Kind: "Widget", Name: "w"}},
			"kubectl -n shop edit pdb web"},
		{"an edit, if all must be available", change(2, func(p *policyv1.PodDisruptionBudget) { p.Spec.MinAvailable = &percent }), deployment,
			"(minAvailable 100% of 2 pods): kubectl -n shop edit pdb web"},
		{"an edit, if none may be unavailable", change(2, func(p *policyv1.PodDisruptionBudget) {
			p.Spec.MinAvailable,
				p.Spec.MaxUnavailable = nil, &zero
		}), deployment, "kubectl -n shop edit pdb web"},
		{"patience, if other pods are not Ready", change(3, func(*policyv1.PodDisruptionBudget) {}), deployment,
			"kubectl -n shop get pods -l app=web"},
		{"a look, if the controller cannot work it out", change(2, func(p *policyv1.PodDisruptionBudget) {
			p.Status.Conditions = []metav1.Condition{{Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse,
				Reason: policyv1.SyncFailedReason, Message: "no scale"}}
		}), deployment, "kubectl -n shop describe pdb web"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := unblock(tc.budget, tc.owners); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
