// SPDX-License-Identifier: Apache-2.0

package surge

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestASurgeThatIsDeniedSaysByWhom(t *testing.T) {
	client := kubetest.NewClient()
	kubetest.AnswerWith(client, "patch", "deployments", kubetest.ByVAP(422, "Invalid", "no"))
	err := Begin(t.Context(), client, []Measure{{Namespace: "shop", Name: "web", Mode: Auto, To: 2}}, "ann")
	if err == nil || !strings.Contains(err.Error(), "change deployment shop/web: ValidatingAdmissionPolicy freeze") ||
		!strings.Contains(plan.HintOf(err), "or leave out --surge") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
}

// FuzzJournals: the journals that stand on a Deployment are read or are none.
func FuzzJournals(f *testing.F) {
	f.Add(`{"mode":"auto","from":1,"to":2,"nodes":["w1"]}`)
	f.Add(`{"by":"ann@laptop","at":"9999-12-31T23:59:59Z"}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, note string) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{label: note}}}
		if j, ok := journalOf(d); ok && len(j.Nodes) > len(note) {
			t.Errorf("%d nodes of %d bytes", len(j.Nodes), len(note))
		}
	})
}

// surgeCase is a Deployment shop/web of two pods, both on w1, under a budget that
// lets none go.
type surgeCase struct {
	deployment *appsv1.Deployment
	budget     *policyv1.PodDisruptionBudget
	facts      Facts
	mode       Mode
}

func (c *surgeCase) measures() []Measure {
	var d drain.Decision
	for _, name := range []string{"web-1", "web-2"} {
		d.Verdicts = append(d.Verdicts, drain.Verdict{
			Pod: drain.Pod{Namespace: "shop", Name: name, UID: types.UID(name)}, Node: kubetest.TheNode, Action: drain.ActionEvict,
			Owners: drain.Owners{{Kind: "ReplicaSet", Name: "web-7c", UID: "rs"}, {Kind: "Deployment", Name: "web",
				UID: "web"}}, Budgets: []pdb.Budget{pdb.Describe(c.budget)},
		})
	}
	c.facts.Deployments = map[types.UID]*appsv1.Deployment{"web": c.deployment}
	c.facts.Budgets = map[string]*policyv1.PodDisruptionBudget{"shop/web": c.budget}
	return Decide(d, c.facts, c.mode)
}

func surgeOf(change func(*surgeCase)) *surgeCase {
	two := int32(2)
	c := &surgeCase{
		deployment: &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web"},
			Spec:       appsv1.DeploymentSpec{Replicas: &two},
			Status:     appsv1.DeploymentStatus{Replicas: 2, UpdatedReplicas: 2},
		},
		budget: kubetest.Budget("web", 2, 2, 0), mode: Auto, facts: Facts{Others: 1},
	}
	c.budget.Status.ExpectedPods = 2
	if change != nil {
		change(c)
	}
	return c
}

// A GitOps controller that heals by itself puts the replicas back before the budget opens.
func TestASurgeSaysWhoUndoesIt(t *testing.T) {
	for name, tc := range map[string]struct {
		labels, notes map[string]string
		want          string
	}{
		"nobody": {nil, nil, ""},
		"Argo CD": {nil, map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"},
			"opens; Argo CD application shop undoes a manual edit when it syncs, at once with self-heal"},
		"Flux": {map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps",
			"kustomize.toolkit.fluxcd.io/namespace": "flux-system"}, nil, "opens; Flux Kustomization apps in namespace flux-system"},
		"Helm, which a person has to upgrade": {map[string]string{"app.kubernetes.io/managed-by": "Helm"},
			map[string]string{"meta.helm.sh/release-name": "web"}, ""},
	} {
		c := surgeOf(func(c *surgeCase) { c.deployment.Labels, c.deployment.Annotations = tc.labels, tc.notes })
		got := c.measures()
		if len(got) != 1 || got[0].Refused != "" || (got[0].Undoer == nil) != (tc.want == "") || !strings.Contains(got[0].String(), tc.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDecideSurge(t *testing.T) {
	number := func(n int) *intstr.IntOrString { v := intstr.FromInt(n); return &v }
	text := func(s string) *intstr.IntOrString { v := intstr.FromString(s); return &v }
	only := func(min, max *intstr.IntOrString) func(*surgeCase) {
		return func(c *surgeCase) { c.budget.Spec.MinAvailable, c.budget.Spec.MaxUnavailable = min, max }
	}
	for name, tc := range map[string]struct {
		change   func(*surgeCase)
		mode     Mode
		from, to int32
		refused  string
	}{
		"a whole number":       {nil, Auto, 2, 3, ""},
		"a whole number above": {func(c *surgeCase) { c.budget.Status.DesiredHealthy = 3 }, Auto, 2, 4, ""},
		"far above":            {func(c *surgeCase) { c.budget.Status.DesiredHealthy = 9 }, Auto, 2, 10, "wants 8 more pods"},
		"none may be missing":  {only(nil, number(0)), Restart, 2, 0, ""},
		"all of them":          {only(text("100%"), nil), Restart, 2, 0, ""},
		"restart is asked for": {func(c *surgeCase) { c.mode = Restart }, Restart, 2, 0, ""},
		"an autoscaler": {func(c *surgeCase) { c.facts.Scaled = map[string]string{"shop/web": "KEDA"} }, Auto, 2, 3,
			"KEDA sets its number of replicas"},
		"it is paused":           {func(c *surgeCase) { c.deployment.Spec.Paused = true }, Auto, 2, 3, "paused"},
		"a rollout is under way": {func(c *surgeCase) { c.deployment.Status.UpdatedReplicas = 1 }, Auto, 2, 3, "a rollout of it is under way"},
		"no other node":          {func(c *surgeCase) { c.facts.Others = 0 }, Auto, 2, 3, "no other node"},
		"a volume for one node": {func(c *surgeCase) {
			claim := corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}
			c.deployment.Spec.Template.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &claim}}}
			c.facts.Single = map[string]bool{"shop/data": true}
		}, Auto, 2, 3, "claim data"},
		"a restart that stops first": {func(c *surgeCase) {
			only(nil, number(0))(c)
			c.deployment.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
		}, Restart, 2, 0, "Recreate"},
		"a restart without a pod more": {func(c *surgeCase) {
			only(nil, number(0))(c)
			c.deployment.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: number(0)}
		}, Restart, 2, 0, "maxSurge 0"},
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
	if got := surgeOf(func(c *surgeCase) { c.mode = Off }).measures(); got != nil {
		t.Errorf("off: %v", got)
	}
	if got := surgeOf(func(c *surgeCase) {
		c.budget = kubetest.Budget("web", 1, 1,
			0)
		c.budget.Status.ExpectedPods = 2
	}).measures(); got != nil {
		t.Errorf("a budget that may open: %v", got)
	}
}
