// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// result is what one Evict in a bubble came to.
type result struct {
	Outcome
	err  error
	took time.Duration
	said []string
}

func (r result) heard(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(strings.Join(r.said, "\n"), text) {
		t.Errorf("%q was not said:\n%s", text, strings.Join(r.said, "\n"))
	}
}

func (r result) fails(t *testing.T, class plan.Class, texts ...string) {
	t.Helper()
	if plan.ClassOf(r.err) != class {
		t.Fatalf("got class %d of error %v, want %d", plan.ClassOf(r.err), r.err, class)
	}
	whole := r.err.Error() + "\n" + plan.HintOf(r.err)
	for _, text := range texts {
		if !strings.Contains(whole, text) {
			t.Errorf("%q is not in:\n%s", text, whole)
		}
	}
}

func evict(t *testing.T, ctx context.Context, s *server, o drain.Options) result {
	t.Helper()
	d := draintest.Decide(t, s.Clientset, o)
	var heard kubetest.Says
	begun := time.Now()
	out, err := Evict(ctx, s.Clientset, d, o, Listener{Report: heard.Report})
	took := time.Since(begun).Round(time.Millisecond)
	s.underWay.Wait()
	return result{Outcome: out, err: err, took: took, said: heard.All()}
}

func podNames(pods []drain.Pod) string {
	out := make([]string, 0, len(pods))
	for _, p := range pods {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}

func TestPodsLeaveTogetherAndAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var objects []runtime.Object
		for i := range 90 {
			objects = append(objects, kubetest.Pod(fmt.Sprintf("p%03d", i)))
		}
		s := newServer(t, append(objects, kubetest.Pod("stays", kubetest.OfDaemonSet), kubetest.DaemonSet(),
			kubetest.Pod("elsewhere", kubetest.OnNode("w2")))...)
		s.stop = 5 * time.Second
		o := drain.DefaultOptions()
		o.IgnoreDaemonSets = true
		r := evict(t, t.Context(), s, o)
		if r.err != nil || len(r.Evicted) != 90 || r.Requests != 90 || r.Refusals != 0 || r.took != 5*time.Second {
			t.Errorf("got %v, %d evicted with %d requests in %s", r.err, len(r.Evicted), r.Requests, r.took)
		}
		if len(r.Skipped) != 1 || len(r.Left)+len(r.Gone)+len(r.Returned)+len(r.Arrived) != 0 {
			t.Errorf("got %+v", r.Outcome)
		}
		r.heard(t, "shop/p000 evicted (")
	})
}

func TestABudgetOfOneIsNeverExceededAndHardlyEverAsksTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objects := []runtime.Object{kubetest.Budget("web", 9, 10, 1)}
		for i := range 10 {
			objects = append(objects, kubetest.Pod(fmt.Sprintf("p%d", i)))
		}
		s := newServer(t, objects...)
		s.stop, s.replace = 5*time.Second, 3*time.Second
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || len(r.Evicted) != 10 {
			t.Fatalf("got %v, %+v", r.err, r.Outcome)
		}
		// The floor: nine replacements one after the other, then one stop.
		if want := 9*3*time.Second + 5*time.Second; r.took != want {
			t.Errorf("took %s, the floor is %s", r.took, want)
		}
		if r.Refusals > 2 || s.healthy < 9 {
			t.Errorf("%d refusals, at least %d healthy", r.Refusals, s.healthy)
		}
		r.heard(t, "PodDisruptionBudget shop/web (minAvailable 9: needs 9 healthy pods, has 10, 1 may go) keeps shop/p1, shop/p2, shop/p3 and "+
			"6 more of ReplicaSet/web-7c")
		if waits := strings.Count(strings.Join(r.said, "\n"), "PodDisruptionBudget"); waits > 4 {
			t.Errorf("the wait was told of %d times", waits)
		}
	})
}

func TestAnEvictionGoesOutTheMomentABudgetOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Budget("web", 2, 2, 0))
		s.underWay.Go(func() {
			time.Sleep(4 * time.Second)
			s.sync("shop", "web", +1)
		})
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || r.took != 5*time.Second || r.Requests != 1 {
			t.Errorf("got %v after %s with %d requests", r.err, r.took, r.Requests)
		}
	})
}

func TestAnswersOfTheServer(t *testing.T) {
	once := func(err error) func(string, int) error {
		return func(_ string, n int) error {
			if n == 1 {
				return err
			}
			return nil
		}
	}
	for _, tc := range []struct {
		name     string
		answer   func(pod string, n int) error
		evicted  string
		gone     string
		requests int
		atMost   time.Duration
	}{
		{"a refusal that the status did not foretell is taken back by the next probe", once(refusedBy(kubetest.Budget("web", 2, 2, 0))), "a", "",
			2, 3 * time.Second},
		{"a pod that is not found is gone", func(string, int) error {
			return apierrors.NewNotFound(podResource.GroupResource(),
				"a")
		}, "", "a", 1, 0},
		{"another pod of the name means that this one is gone", func(string, int) error { return uidConflict("a") }, "", "a", 1, 0},
		{"an internal error is tried again", once(apierrors.NewInternalError(errors.New("failed calling webhook"))), "a", "", 2, 3 * time.Second},
		{"a broken connection is tried again", once(errors.New("EOF")), "a", "", 2, 3 * time.Second},
		{"a busy server is given the time it asks for", once(apierrors.NewTooManyRequests("too many requests", 7)), "a", "", 2, 9 * time.Second},
		{"a denial by a webhook is waited out", once(deniedByWebhook()), "a", "", 2, 4 * time.Second},
		{"a conflict with another writer is tried again",
			once(apierrors.NewConflict(podResource.GroupResource(), "a", errors.New("the object has been modified"))), "a", "", 2, 3 * time.Second},
		{"a timeout of the server is tried again when it says", once(apierrors.NewTimeoutError("couldn't update PodDisruptionBudget", 10)), "a",
			"", 2, 12 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, kubetest.Pod("a"))
				s.answer = tc.answer
				r := evict(t, t.Context(), s, drain.DefaultOptions())
				if r.err != nil || podNames(r.Evicted) != tc.evicted || podNames(r.Gone) != tc.gone || r.Requests != tc.requests || r.took > tc.atMost {
					t.Errorf("got %v, evicted %q, gone %q, %d requests in %s", r.err, podNames(r.Evicted), podNames(r.Gone), r.Requests, r.took)
				}
			})
		})
	}
}

func TestARefusalFromAStaleStatusWaitsForANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Another evictor has just taken what the status still shows, and the
		// watch brings nothing for ten seconds.
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Pod("c"), kubetest.Budget("web", 1, 2, 1))
		s.replace = 2 * time.Second
		begun := time.Now()
		s.answer = func(string, int) error {
			if time.Since(begun) < 10*time.Second {
				return refusedBy(kubetest.Budget("web", 1, 1, 0))
			}
			return nil
		}
		s.underWay.Go(func() {
			time.Sleep(10 * time.Second)
			s.sync("shop", "web", 0)
		})
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if want := 10*time.Second + 2*2*time.Second + s.stop; r.err != nil || r.Requests != 4 || r.took != want {
			t.Errorf("got %v with %d requests after %s, want %s", r.err, r.Requests, r.took, want)
		}
	})
}

func TestPodsWithSeveralBudgetsAreNamedAndTheOthersLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b", kubetest.Labelled("app", "db")), kubetest.Budget("web", 1, 2, 1),
			kubetest.Budget("all", 1, 2, 1))
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if podNames(r.Evicted) != "b" || s.asked("a") != 0 || len(r.Left) != 1 || r.Left[0].Cause != drain.CauseSeveralBudgets {
			t.Errorf("got %+v", r.Outcome)
		}
		r.fails(t, plan.Broken, "1 of 2 pods left", "more than one PodDisruptionBudget matches it (all, web): shop/a of ReplicaSet/web-7c",
			"kubectl -n shop delete pdb web")
	})
}

func TestDeletingOneOfSeveralBudgetsLetsThePodGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b", kubetest.Labelled("app", "db")), kubetest.Budget("web", 1, 2, 1),
			kubetest.Budget("all", 1, 2, 1))
		s.stop = 9 * time.Second
		go func() {
			time.Sleep(3 * time.Second)
			if err := s.Tracker().Delete(budgetResource, "shop", "all"); err != nil {
				t.Error(err)
			}
		}()
		if r := evict(t, t.Context(), s, drain.DefaultOptions()); r.err != nil || len(r.Evicted) != 2 || r.took != 12*time.Second {
			t.Errorf("got %v after %s: %+v", r.err, r.took, r.Outcome)
		}
	})
}

func TestAServerThatSeesSeveralBudgetsEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		s.answer = func(string, int) error { return severalBudgets() }
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		r.fails(t, plan.Broken, "more than one PodDisruptionBudget matches it: shop/a")
	})
}

func TestATerminatingNamespaceTakesItsPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		s.answer = func(pod string, _ int) error { return terminatingNamespace(pod) }
		go func() {
			time.Sleep(20 * time.Second)
			if err := s.Tracker().Delete(podResource, "shop", "a"); err != nil {
				t.Error(err)
			}
		}()
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || podNames(r.Gone) != "a" || r.Requests > 5 || r.took != 20*time.Second {
			t.Errorf("got %v after %s with %d requests: %+v", r.err, r.took, r.Requests, r.Outcome)
		}
		r.heard(t, "its namespace is being deleted: shop/a")
	})
}

func TestServerErrorsAreNotEndured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"))
		s.answer = func(pod string, _ int) error {
			if pod == "a" {
				return apierrors.NewInternalError(errors.New("no endpoints available for service"))
			}
			return nil
		}
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if podNames(r.Evicted) != "b" || r.took < errorLimit || r.took > errorLimit+time.Minute || r.Requests > 40 {
			t.Errorf("after %s with %d requests: %+v", r.took, r.Requests, r.Outcome)
		}
		r.fails(t, plan.Broken, "the API server has trouble", "no endpoints available", "readyz")
	})
}

func TestAMissingPermissionIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"))
		s.answer = func(pod string, _ int) error {
			return apierrors.NewForbidden(podResource.GroupResource(), pod, errors.New(`User "jane" cannot create resource "pods/eviction"`))
		}
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.Requests != 2 {
			t.Errorf("%d requests", r.Requests)
		}
		r.fails(t, plan.Broken, "shop/a, shop/b", "the verb create on pods/eviction")
	})
}

func TestABudgetIsAskedByAFewPodsAtOnce(t *testing.T) {
	now := time.Now()
	page := ledger{}.of(&policyv1.PodDisruptionBudget{}, now)
	for n, name := range []string{"a", "b", "c"} {
		if page.busy() {
			t.Errorf("busy with %d questions", n)
		}
		page.charges[name] = false
	}
	if !page.busy() {
		t.Error("not busy with three questions")
	}
	page.settle("b", "1", answer{kind: accepted}, now)
	if page.busy() {
		t.Error("busy when one of three has been answered, which is still charged")
	}
	if len(page.charges) != 3 {
		t.Errorf("charges %v", page.charges)
	}
}

// A pod may leave by itself while its budget is closed, and a drain may run out of time: it
// was waited for until then.
func TestABudgetIsSaidToBeWaitedForUntilItsPodLeft(t *testing.T) {
	for name, tc := range map[string]struct {
		leaves, timeout, want time.Duration
	}{
		"the pod leaves by itself": {leaves: 8 * time.Second, want: 8 * time.Second},
		"the time is up":           {timeout: 7 * time.Second, want: 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, kubetest.Pod("a"), kubetest.Budget("web", 1, 1, 0))
				if tc.leaves > 0 {
					s.underWay.Go(func() {
						time.Sleep(tc.leaves)
						if err := s.Tracker().Delete(podResource, "shop", "a"); err != nil {
							t.Error(err)
						}
					})
				}
				o := drain.DefaultOptions()
				o.Timeout = tc.timeout
				r := evict(t, t.Context(), s, o)
				if len(r.Waits) != 1 || time.Duration(r.Waits[0].Seconds*float64(time.Second)).Round(time.Millisecond) != tc.want {
					t.Errorf("waited for %+v, want %s; %v", r.Waits, tc.want, r.err)
				}
			})
		})
	}
}
