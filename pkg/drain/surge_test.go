// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// surgeCase is a Deployment shop/web of two pods, both on w1, under a budget that
// lets none go.
type surgeCase struct {
	deployment *appsv1.Deployment
	budget     *policyv1.PodDisruptionBudget
	facts      SurgeFacts
	mode       SurgeMode
}

func (c *surgeCase) measures() []Measure {
	var d Decision
	for _, name := range []string{"web-1", "web-2"} {
		d.Verdicts = append(d.Verdicts, Verdict{
			Pod: Pod{Namespace: "shop", Name: name, UID: types.UID(name)}, Node: theNode, Action: ActionEvict,
			Owners: Owners{{Kind: "ReplicaSet", Name: "web-7c", UID: "rs"}, {Kind: "Deployment", Name: "web", UID: "web"}}, Budgets: []Budget{describe(c.budget)},
		})
	}
	c.facts.Deployments = map[types.UID]*appsv1.Deployment{"web": c.deployment}
	c.facts.Budgets = map[string]*policyv1.PodDisruptionBudget{"shop/web": c.budget}
	return DecideSurge(d, c.facts, c.mode)
}

func surgeOf(change func(*surgeCase)) *surgeCase {
	two := int32(2)
	c := &surgeCase{
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"},
			Spec:       appsv1.DeploymentSpec{Replicas: &two},
			Status:     appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2},
		},
		budget: makeBudget("web", 2, 2, 0), mode: SurgeAuto, facts: SurgeFacts{Others: 1},
	}
	c.budget.Status.ExpectedPods = 2
	if change != nil {
		change(c)
	}
	return c
}

func TestDecideSurge(t *testing.T) {
	number := func(n int) *intstr.IntOrString { v := intstr.FromInt(n); return &v }
	text := func(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }
	only := func(min, max *intstr.IntOrString) func(*surgeCase) {
		return func(c *surgeCase) { c.budget.Spec.MinAvailable, c.budget.Spec.MaxUnavailable = min, max }
	}
	for name, tc := range map[string]struct {
		change   func(*surgeCase)
		mode     SurgeMode
		from, to int32
		refused  string
	}{
		"a whole number":         {nil, SurgeAuto, 2, 3, ""},
		"a whole number above":   {func(c *surgeCase) { c.budget.Status.DesiredHealthy = 3 }, SurgeAuto, 2, 4, ""},
		"far above":              {func(c *surgeCase) { c.budget.Status.DesiredHealthy = 9 }, SurgeAuto, 2, 10, "wants 8 more pods"},
		"none may be missing":    {only(nil, number(0)), SurgeRestart, 2, 0, ""},
		"all of them":            {only(text("100%"), nil), SurgeRestart, 2, 0, ""},
		"restart is asked for":   {func(c *surgeCase) { c.mode = SurgeRestart }, SurgeRestart, 2, 0, ""},
		"an autoscaler":          {func(c *surgeCase) { c.facts.Scaled = map[string]string{"shop/web": "KEDA"} }, SurgeAuto, 2, 3, "KEDA sets its number of replicas"},
		"it is paused":           {func(c *surgeCase) { c.deployment.Spec.Paused = true }, SurgeAuto, 2, 3, "paused"},
		"a rollout is under way": {func(c *surgeCase) { c.deployment.Status.UpdatedReplicas = 1 }, SurgeAuto, 2, 3, "a rollout of it is under way"},
		"no other node":          {func(c *surgeCase) { c.facts.Others = 0 }, SurgeAuto, 2, 3, "no other node"},
		"a volume for one node": {func(c *surgeCase) {
			c.deployment.Spec.Template.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
			c.facts.Single = map[string]bool{"shop/data": true}
		}, SurgeAuto, 2, 3, "claim data"},
		"a restart that stops first": {func(c *surgeCase) {
			only(nil, number(0))(c)
			c.deployment.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
		}, SurgeRestart, 2, 0, "Recreate"},
		"a restart without a pod more": {func(c *surgeCase) {
			only(nil, number(0))(c)
			c.deployment.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: number(0)}
		}, SurgeRestart, 2, 0, "maxSurge 0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := surgeOf(tc.change).measures()
			if len(got) != 1 || len(got[0].Pods) != 2 || len(got[0].Nodes) != 1 {
				t.Fatalf("want one measure for two pods on one node: %+v", got)
			}
			m := got[0]
			if m.Mode != tc.mode || m.From != tc.from || m.To != tc.to {
				t.Errorf("%s from %d to %d, want %s from %d to %d", m.Mode, m.From, m.To, tc.mode, tc.from, tc.to)
			}
			if (m.Refused == "") != (tc.refused == "") || !strings.Contains(m.Refused, tc.refused) {
				t.Errorf("refused: %q, want %q", m.Refused, tc.refused)
			}
		})
	}
	if got := surgeOf(func(c *surgeCase) { c.mode = SurgeOff }).measures(); got != nil {
		t.Errorf("off: %v", got)
	}
	if got := surgeOf(func(c *surgeCase) { c.budget = makeBudget("web", 1, 1, 0); c.budget.Status.ExpectedPods = 2 }).measures(); got != nil {
		t.Errorf("a budget that may open: %v", got)
	}
}
