// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/scheduling"
)

// surging is a drain of w1 with pods of Deployment web there, of which the budget lets
// none go; rooms is how many pods w2 has room for.
func surging(pods, rooms int, s Surge, budget *policyv1.PodDisruptionBudget) Input {
	full := func(name string, places int) corev1.Node {
		node := kubetest.Node(name)
		node.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse(fmt.Sprint(places))}
		return *node
	}
	nodes := []corev1.Node{full(kubetest.TheNode, 110), full("w2", rooms)}
	s.UID, s.Deployment = "uid-web", "shop/web"
	in := Input{Snapshot: drain.Snapshot{Nodes: nodes[:1], Budgets: []policyv1.PodDisruptionBudget{*budget}},
		Workloads: map[types.UID]Workload{"uid-web": {Replicas: int32(s.Replicas)}}, Surging: true, Surges: map[types.UID]Surge{s.UID: s},
		Paces: map[types.UID]Pace{"uid-ReplicaSet-web-7c": {Usual: 10 * time.Second, Slowest: 20 * time.Second, Pods: 3}},
		room:  scheduling.New(nodes)}
	in.Parents = map[types.UID]metav1.OwnerReference{"uid-ReplicaSet-web-7c": *metav1.GetControllerOf(kubetest.ReplicaSet())}
	for i := range pods {
		pod := kubetest.Pod(fmt.Sprint("web-", i))
		zero := int64(0)
		pod.Spec.TerminationGracePeriodSeconds = &zero
		in.Pods = append(in.Pods, *pod)
		in.room.Add(pod)
	}
	return in
}

// A surge needs a place for each pod that leaves, before it leaves, and one more for
// each replica beyond the first that it adds.
func TestAForecastOfASurge(t *testing.T) {
	never := func(needed, expected int32) *policyv1.PodDisruptionBudget {
		b := kubetest.Budget("web", needed, expected, 0)
		b.Status.ExpectedPods = expected
		return b
	}
	for name, tc := range map[string]struct {
		pods, rooms int
		surge       Surge
		budget      *policyv1.PodDisruptionBudget
		waves, kept int
		class       Class
		least, most float64
	}{
		"one pod, a place for it":                           {1, 1, Surge{Replicas: 1, More: 1}, never(1, 1), 1, 0, "", 10, 20},
		"one pod, and no place":                             {1, 0, Surge{Replicas: 1, More: 1}, never(1, 1), 0, 1, NoRoom, 0, 0},
		"two pods leave one after the other":                {2, 2, Surge{Replicas: 2, More: 1}, never(2, 2), 2, 0, "", 20, 40},
		"two pods, and a place for one":                     {2, 1, Surge{Replicas: 2, More: 1}, never(2, 2), 1, 1, NoRoom, 10, 20},
		"two more are wanted, and there is room for three":  {2, 3, Surge{Replicas: 2, More: 2}, never(3, 2), 2, 0, "", 20, 40},
		"two more are wanted, and there is room for two":    {2, 2, Surge{Replicas: 2, More: 2}, never(3, 2), 0, 2, NoRoom, 0, 0},
		"a restart of both at once":                         {2, 2, Surge{Replicas: 2, AtOnce: 2}, never(2, 2), 1, 0, "", 10, 20},
		"a restart, one at a time":                          {2, 2, Surge{Replicas: 2, AtOnce: 1}, never(2, 2), 2, 0, "", 20, 40},
		"a restart whose other pods may be replaced before": {1, 1, Surge{Replicas: 4, AtOnce: 1}, never(4, 4), 1, 0, "", 10, 80},
		"a restart without a place":                         {1, 0, Surge{Replicas: 1, AtOnce: 1}, never(1, 1), 0, 1, NoRoom, 0, 0},
		"it is refused": {1, 1, Surge{Replicas: 1, More: 1, Refused: "no"}, never(1, 1), 0, 1, Permanent,
			0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := Predict(surging(tc.pods, tc.rooms, tc.surge, tc.budget), drain.DefaultOptions(), "drain")
			if len(f.Waves) != tc.waves || f.Kept() != tc.kept || (f.Err() == nil) != (tc.kept == 0) {
				t.Errorf("%d waves, %d kept, want %d and %d", len(f.Waves), f.Kept(), tc.waves, tc.kept)
			}
			if f.Estimate.AtLeast != tc.least || f.Estimate.UpTo != tc.most {
				t.Errorf("from %g to %g s, want %g to %g", f.Estimate.AtLeast, f.Estimate.UpTo, tc.least, tc.most)
			}
			if tc.class != "" && (len(f.Blockers) != 1 || f.Blockers[0].Class != tc.class || len(f.Blockers[0].Remedies) == 0) {
				t.Errorf("blockers %+v", f.Blockers)
			}
			for _, p := range f.Pods {
				if p.Answer != AnswerClosed {
					t.Errorf("%s: the server would answer %s now", p.Pod, p.Answer)
				}
			}
		})
	}
}

// What a webhook waits for is not in the cluster: nothing bounds how long it denies.
func TestAForecastWithAWebhookThatMayDenyHasNoUpperBound(t *testing.T) {
	url := "https://guard.example.com"
	for name, tc := range map[string]struct {
		rule      admissionv1.RuleWithOperations
		unbounded bool
	}{
		"it is asked for evictions": {kubetest.RuleOf("pods/eviction", admissionv1.Create), true},
		"it is asked for nodes":     {kubetest.RuleOf("nodes", admissionv1.Update), false},
	} {
		t.Run(name, func(t *testing.T) {
			in := surging(1, 1, Surge{Replicas: 1, More: 1}, kubetest.Budget("web", 0, 1, 1))
			in.Admission = drain.ReadAdmission(t.Context(), kubetest.NewClient(kubetest.Guarding(tc.rule,
				func(w *admissionv1.ValidatingWebhook) { w.ClientConfig = admissionv1.WebhookClientConfig{URL: &url} })))
			f := Predict(in, drain.DefaultOptions(), "drain")
			if e := f.Estimate; e.Unbounded != tc.unbounded || e.Unbounded && e.UpTo != 0 || len(f.Admission) != 1 {
				t.Errorf("%+v, %q", e, f.Admission)
			}
			in.Admission = drain.Admission{}
			if e := Predict(in, drain.DefaultOptions(), "drain").Estimate; e.Unbounded {
				t.Errorf("without it: %+v", e)
			}
		})
	}
}
