// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestATimeoutNamesBudgetsPodsOwnersAndTheWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := kubetest.Budget("db", 3, 3, 0)
		zero := intstr.FromInt32(0)
		strict.Spec.MinAvailable, strict.Spec.MaxUnavailable = nil, &zero
		strict.Spec.Selector.MatchLabels = map[string]string{"app": "db"}
		strict.Status.ExpectedPods = 3
		full := kubetest.Budget("web", 2, 2, 0)
		full.Status.ExpectedPods = 2
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Pod("free", kubetest.Labelled("app", "x")),
			kubetest.ReplicaSet(), full, strict,
			kubetest.Pod("db-0", kubetest.Labelled("app", "db"), kubetest.ControlledBy("apps/v1", "StatefulSet", "db")))
		o := drain.DefaultOptions()
		o.Timeout = 5 * time.Minute
		r := evict(t, t.Context(), s, o)
		if podNames(r.Evicted) != "free" || len(r.Left) != 3 || r.took != 5*time.Minute {
			t.Errorf("got %+v after %s", r.Outcome, r.took)
		}
		r.fails(t, plan.TimedOut,
			`timed out after 5m0s, 3 of 4 pods left on node w1`,
			"PodDisruptionBudget shop/web (minAvailable 2: needs 2 healthy pods, has 2, 0 may go) keeps shop/a, shop/b of ReplicaSet/web-7c → "+
				"Deployment/web",
			"PodDisruptionBudget shop/db (maxUnavailable 0: needs 3 healthy pods, has 3, 0 may go) keeps shop/db-0 of StatefulSet/db",
			"kubectl -n shop scale deployment/web --replicas=3",
			"kubectl -n shop edit pdb db",
			"run the same command again to continue")
		// A closed budget is probed now and then, not hammered.
		if r.Requests > 1+2*8 {
			t.Errorf("%d requests in five minutes", r.Requests)
		}
		beats := 0
		for _, line := range r.said {
			if strings.Contains(line, "3 of 4 pods still there after") {
				beats++
			}
		}
		if beats < 18 || beats > 21 {
			t.Errorf("the wait was told of %d times:\n%s", beats, strings.Join(r.said, "\n"))
		}
	})
}

func TestATimeoutSaysWhyAPodDoesNotDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := kubetest.Pod("held")
		held.Finalizers = []string{"example.com/keep"}
		s := newServer(t, held, kubetest.Pod("stuck"))
		s.stop = 10 * time.Second
		s.stuck = true
		o := drain.DefaultOptions()
		o.Timeout = time.Minute
		r := evict(t, t.Context(), s, o)
		r.fails(t, plan.TimedOut,
			"past its grace period, held by the finalizer example.com/keep: shop/held",
			"past its grace period, its kubelet has not confirmed that it stopped: shop/stuck",
			"--skip-wait-for-delete-timeout")
	})
}

func TestAnInterruptSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("free", kubetest.Labelled("app", "x")), kubetest.Budget("web", 2, 2, 0))
		go func() {
			time.Sleep(8 * time.Second)
			cancel()
		}()
		r := evict(t, ctx, s, drain.DefaultOptions())
		if podNames(r.Evicted) != "free" || len(r.Left) != 1 || r.Left[0].Cause != drain.CauseBudget || r.took != 8*time.Second {
			t.Errorf("got %+v after %s", r.Outcome, r.took)
		}
		r.fails(t, plan.Interrupted, "interrupted (context canceled), 1 of 2 pods left", "PodDisruptionBudget shop/web")
	})
}

func TestTheCallersDeadlineIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := newServer(t, kubetest.Pod("a"), kubetest.Budget("web", 2, 2, 0))
		r := evict(t, ctx, s, drain.DefaultOptions())
		r.fails(t, plan.TimedOut, "1 of 1 pod left")
	})
}

// A command's --timeout may be over before that of its drain: a longer one is of no use if
// it is not said what keeps the pods (kubernetes/kubernetes#75957).
func TestHoweverADrainEndsItSaysWhatKeepsThePods(t *testing.T) {
	for name, tc := range map[string]struct {
		own, callers, interrupted time.Duration
		class                     plan.Class
	}{
		"its own timeout": {own: time.Minute, callers: time.Hour, interrupted: time.Hour, class: plan.TimedOut},
		"the command's":   {own: time.Hour, callers: time.Minute, interrupted: time.Hour, class: plan.TimedOut},
		"without its own": {callers: time.Minute, interrupted: time.Hour, class: plan.TimedOut},
		"an interruption": {own: time.Hour, callers: time.Hour, interrupted: time.Minute, class: plan.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tc.callers)
				defer cancel()
				context.AfterFunc(t.Context(), cancel)
				time.AfterFunc(tc.interrupted, cancel)
				o := drain.DefaultOptions()
				o.Timeout = tc.own
				r := evict(t, ctx, newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Budget("web", 2, 2, 0)), o)
				r.err = plan.Stopped(ctx, r.err)
				r.fails(t, tc.class, "2 of 2 pods left", "PodDisruptionBudget shop/web", "kubectl -n shop")
			})
		})
	}
}

func TestWithoutEvictionsBudgetsDoNotMatter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Budget("web", 2, 2, 0))
		o := drain.DefaultOptions()
		o.DisableEviction = true
		r := evict(t, t.Context(), s, o)
		if r.err != nil || podNames(r.Deleted) != "a b" || len(r.Evicted) != 0 || r.took != s.stop {
			t.Errorf("got %v, %+v", r.err, r.Outcome)
		}
		for _, action := range s.Actions() {
			if action.GetResource() == budgetResource {
				t.Errorf("budgets were read: %s", action.GetVerb())
			}
		}
		r.heard(t, "shop/a deleted")
	})
}

func TestATerminatingPodIsWaitedForAndNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a", kubetest.DeletedAt(time.Now().Add(6*time.Second), 30)))
		s.underWay.Go(func() {
			time.Sleep(6 * time.Second)
			_ = s.Tracker().Delete(podResource, "shop", "a")
		})
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || r.Requests != 0 || podNames(r.Gone) != "a" {
			t.Errorf("got %v, %+v", r.err, r.Outcome)
		}
	})
}

func TestAShorterGracePeriodHastensATerminatingPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a", kubetest.DeletedAt(time.Now().Add(time.Hour), 3600)))
		o := drain.DefaultOptions()
		o.GracePeriodSeconds = 1
		r := evict(t, t.Context(), s, o)
		if r.err != nil || r.Requests != 1 || podNames(r.Evicted) != "a" {
			t.Errorf("got %v, %+v", r.err, r.Outcome)
		}
	})
}

func TestOverduePodsAreNotWaitedForFromThatMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b", kubetest.DeletedAt(time.Now().Add(-time.Hour), 30)))
		s.stop, s.stuck = 10*time.Second, true
		o := drain.DefaultOptions()
		o.SkipWaitForDeleteTimeoutSeconds = 20
		r := evict(t, t.Context(), s, o)
		if r.err != nil || len(r.Skipped) != 2 || r.Skipped[0].Reason != drain.ReasonOverdue || r.took < 30*time.Second ||
			r.took > 32*time.Second {
			t.Errorf("got %v after %s: %+v", r.err, r.took, r.Outcome)
		}
	})
}

func TestAnEvictionWithoutEffectIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		s.ignore = 1
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || r.Requests != 2 || r.took != reconsider+s.stop {
			t.Errorf("got %v after %s with %d requests", r.err, r.took, r.Requests)
		}
	})
}

// A pod of a StatefulSet that was recreated elsewhere under its old name is
// another pod (kubernetes/kubernetes#138229).
func TestAPodRecreatedElsewhereIsNotEvictedThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("db-0"), kubetest.Budget("web", 2, 2, 0))
		s.underWay.Go(func() {
			time.Sleep(3 * time.Second)
			_ = s.Tracker().Delete(podResource, "shop", "db-0")
			anew := kubetest.Pod("db-0", kubetest.OnNode("w2"))
			anew.UID = "another"
			_ = s.Tracker().Add(anew)
			s.sync("shop", "web", +1)
		})
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		if r.err != nil || podNames(r.Gone) != "db-0" || r.took != 3*time.Second {
			t.Errorf("got %v after %s: %+v", r.err, r.took, r.Outcome)
		}
		// The budget's event may come first, and one request go out: the UID
		// in it keeps the new pod safe.
		object, err := s.Tracker().Get(podResource, "shop", "db-0")
		if err != nil || object.(*corev1.Pod).DeletionTimestamp != nil || r.Requests > 1 {
			t.Errorf("the new pod: %v, %v, %d requests", object, err, r.Requests)
		}
	})
}

func TestPodsThatComeBackAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("kept", kubetest.OfDaemonSet), kubetest.DaemonSet())
		s.stop = 5 * time.Second
		s.underWay.Go(func() {
			time.Sleep(2 * time.Second)
			tolerant := kubetest.Pod("a-again")
			tolerant.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
			for _, pod := range []*corev1.Pod{
				tolerant,
				kubetest.Pod("stranger", kubetest.ControlledBy("batch/v1", "Job", "late")),
				kubetest.Pod("agent-x", kubetest.OfDaemonSet),
				kubetest.Pod("far", kubetest.OnNode("w2")),
				kubetest.Pod("lifecycle-w1", kubetest.AsRunner),
				kubetest.Pod("done", kubetest.InPhase(corev1.PodSucceeded)),
			} {
				pod.CreationTimestamp = metav1.Now()
				if err := s.Tracker().Add(pod); err != nil {
					t.Error(err)
				}
			}
		})
		o := drain.DefaultOptions()
		o.IgnoreDaemonSets = true
		r := evict(t, t.Context(), s, o)
		if len(r.Returned) != 1 || r.Returned[0].Name != "a-again" || r.Returned[0].Why != "it tolerates every taint" ||
			podNames(r.Arrived) != "stranger" {
			t.Errorf("got returned %+v, arrived %+v", r.Returned, r.Arrived)
		}
	})
}

func TestADecisionThatBlocksIsNotCarriedOut(t *testing.T) {
	s := newServer(t, kubetest.Pod("a"), kubetest.Pod("naked", kubetest.Uncontrolled))
	d := draintest.Decide(t, s.Clientset, drain.DefaultOptions())
	out, err := Evict(t.Context(), s.Clientset, d, drain.DefaultOptions(), Listener{})
	if plan.ClassOf(err) != plan.Refused || out.Requests != 0 || s.asked("a") != 0 {
		t.Errorf("got %v, %+v", err, out)
	}
}

func TestNothingToDoMakesNoRequest(t *testing.T) {
	s := newServer(t, kubetest.Pod("kept", kubetest.OfDaemonSet), kubetest.DaemonSet())
	o := drain.DefaultOptions()
	o.IgnoreDaemonSets = true
	d := draintest.Decide(t, s.Clientset, o)
	s.ClearActions()
	out, err := Evict(t.Context(), s.Clientset, d, o, Listener{})
	if err != nil || len(out.Skipped) != 1 || len(s.Actions()) != 0 {
		t.Errorf("got %v, %+v, %d requests", err, out, len(s.Actions()))
	}
}
