// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// What denies for a while is asked until it lets go, and named meanwhile.
func TestAnEvictionThatAdmissionDeniesIsAskedUntilItIsLetGo(t *testing.T) {
	for name, denied := range map[string]error{
		"a policy": kubetest.ByVAP(422, metav1.StatusReasonInvalid, "not this week"), "a policy as Forbidden": kubetest.ByVAP(403,
			metav1.StatusReasonForbidden, "not this week"),
		"a webhook that is down": kubetest.Calling(kubetest.GuardURL + "EOF"), "a quota": kubetest.ByAdmission("exceeded quota: x"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, kubetest.Pod("a"), kubetest.ReplicaSet())
				began := time.Now()
				s.answer = func(string, int) error {
					if time.Since(began) < 20*time.Minute { // longer than a server's trouble is borne
						return denied
					}
					return nil
				}
				r := evict(t, t.Context(), s, drain.DefaultOptions())
				if podNames(r.Evicted) != "a" || s.asked("a") > 60 {
					t.Errorf("evicted %v after %d requests", r.Evicted, s.asked("a"))
				}
			})
		})
	}
}

func TestWhatDeniesIsNamedAtTheTimeout(t *testing.T) {
	for _, tc := range []struct {
		name   string
		denied error
		after  bool // the timeout, else at once
		says   []string
		hint   string
	}{
		{"a policy", kubetest.ByVAP(403, metav1.StatusReasonForbidden, "ask team web first"), true,
			[]string{"ValidatingAdmissionPolicy freeze (binding freeze-all) denies it: ask team web first: shop/a"}, "kubectl get " +
				"validatingadmissionpolicy freeze"},
		{"a webhook that is down", kubetest.Calling(kubetest.GuardURL + `service "gone" not found`), true,
			[]string{"webhook guard.example.com (service hunt/gone) of validatingwebhookconfiguration drain-guard cannot be asked"}, "kubectl get " +
				"validatingwebhookconfiguration drain-guard"},
		{"a kubelet's credentials", kubetest.ByAdmission(`node "w1" can only evict pods with spec.nodeName set to itself`), false,
			[]string{"NodeRestriction denies it"}, "credentials of a person"},
		{"no right", kubetest.NoRight("create", "pods/eviction"), false, []string{"cannot create"}, "the verb create on pods/eviction"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, kubetest.Pod("a"), kubetest.ReplicaSet(), kubetest.Guarding(kubetest.RuleOf("pods/eviction", "CREATE"), nil))
				s.answer = func(string, int) error { return tc.denied }
				o := drain.DefaultOptions()
				o.Timeout = 10 * time.Minute
				out, err := Evict(t.Context(), s.Clientset, draintest.Decide(t, s.Clientset, o), o, Listener{})
				if timedOut := plan.ClassOf(err) == plan.TimedOut; timedOut != tc.after || !strings.Contains(plan.HintOf(err), tc.hint) {
					t.Errorf("%v of class %v, hint %q", err, plan.ClassOf(err), plan.HintOf(err))
				}
				for _, want := range tc.says {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%v lacks %q", err, want)
					}
				}
				if len(out.Left) != 1 || out.Left[0].WayOut == "" || s.asked("a") > 60 {
					t.Errorf("left %+v after %d requests", out.Left, s.asked("a"))
				}
			})
		})
	}
}
