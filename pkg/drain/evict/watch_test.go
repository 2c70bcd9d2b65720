// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestAWatchThatBreaksIsMended(t *testing.T) {
	for _, tc := range []struct {
		name  string
		watch func() (watch.Interface, error)
	}{
		{"it cannot be opened", func() (watch.Interface, error) { return nil, errors.New("connection refused") }},
		{"it is closed at once", func() (watch.Interface, error) {
			w := watch.NewFake()
			w.Stop()
			return w, nil
		}},
		{"its version is too old", func() (watch.Interface, error) {
			w := watch.NewFakeWithChanSize(1, false)
			w.Error(&metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410, Message: "too old"})
			return w, nil
		}},
		{"the server is busy", func() (watch.Interface, error) { return nil, apierrors.NewTooManyRequests("busy", 1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, kubetest.Pod("a"), kubetest.Budget("web", 2, 2, 0))
				failures := map[string]int{}
				for _, resource := range []string{"pods", "poddisruptionbudgets"} {
					s.PrependWatchReactor(resource, func(clienttesting.Action) (bool, watch.Interface, error) {
						if failures[resource]++; failures[resource] > 3 {
							return false, nil, nil
						}
						w, err := tc.watch()
						return true, w, err
					})
				}
				s.underWay.Go(func() {
					time.Sleep(20 * time.Second)
					s.sync("shop", "web", +1)
				})
				r := evict(t, t.Context(), s, drain.DefaultOptions())
				if r.err != nil || podNames(r.Evicted) != "a" || r.took > 25*time.Second {
					t.Errorf("got %v after %s: %+v", r.err, r.took, r.Outcome)
				}
			})
		})
	}
}

func TestAServerThatIsAwayIsSpokenOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		d := draintest.Decide(t, s.Clientset, drain.DefaultOptions())
		kubetest.AnswerWith(s.Clientset, "list", "pods", errors.New("connection refused"))
		o := drain.DefaultOptions()
		o.Timeout = time.Minute
		var heard kubetest.Says
		out, err := Evict(t.Context(), s.Clientset, d, o, Listener{Report: heard.Report})
		r := result{Outcome: out, err: err, said: heard.All()}
		r.heard(t, "cannot watch the pods of node w1: connection refused")
		r.fails(t, plan.TimedOut, "1 of 1 pod left", "shop/a")
	})
}

func TestAWatchThatIsNotAllowedEndsTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		s.PrependWatchReactor("poddisruptionbudgets", func(clienttesting.Action) (bool, watch.Interface, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "poddisruptionbudgets"}, "", errors.New("no"))
		})
		s.stop = time.Minute
		r := evict(t, t.Context(), s, drain.DefaultOptions())
		r.fails(t, plan.Broken, "you may not list and watch poddisruptionbudgets.policy", "the verbs list and watch")
	})
}

func TestWhoMayNotWatchNodesDrainsAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"))
		s.PrependWatchReactor("nodes", func(clienttesting.Action) (bool, watch.Interface, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errors.New("no"))
		})
		if r := evict(t, t.Context(), s, drain.DefaultOptions()); r.err != nil || podNames(r.Evicted) != "a" {
			t.Errorf("got %v: %+v", r.err, r.Outcome)
		}
	})
}
