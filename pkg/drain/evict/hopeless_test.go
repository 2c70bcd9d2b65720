// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// A budget that was to open and never will is not waited for; one that opens all the
// same is what counts, whatever was told of its pods.
func TestPodsThatNothingLetsGoAreGivenUpAndTheOthersLeave(t *testing.T) {
	for name, expected := range map[string]int32{"it never opens": 1, "it opens all the same": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget := kubetest.Budget("web", 1, expected, expected-1)
				budget.Status.ExpectedPods = expected
				s := newServer(t, kubetest.Pod("a"), kubetest.Pod("other", kubetest.Labelled("app", "other")), kubetest.ReplicaSet(), budget)
				d := draintest.Decide(t, s.Clientset, drain.DefaultOptions())
				hopeless := make(chan Hopeless, 1)
				hopeless <- Hopeless{Pods: []drain.Pod{{Namespace: "shop", Name: "a", UID: "uid-a"}}, Why: "Deployment shop/web was scaled back",
					WayOut: "find out who did it"}
				out, err := Evict(t.Context(), s.Clientset, d, drain.DefaultOptions(), Listener{Hopeless: hopeless})
				s.underWay.Wait()
				if pdb.Describe(budget).Never != (expected == 1) {
					t.Fatal("the test's budget is another")
				}
				if expected == 2 {
					if err != nil || len(out.Left) > 0 {
						t.Errorf("%v, left %+v", err, out.Left)
					}
					return
				}
				if len(out.Left) != 1 || out.Left[0].Cause != drain.CauseSurgeUndone || podNames(out.Evicted) != "other" {
					t.Errorf("left %+v, evicted %v", out.Left, out.Evicted)
				}
				if plan.ClassOf(err) != plan.Broken || !strings.Contains(err.Error(), "Deployment shop/web was scaled back: shop/a") ||
					!strings.Contains(plan.HintOf(err), "find out who did it") {
					t.Errorf("%v, hint %q", err, plan.HintOf(err))
				}
			})
		})
	}
}
