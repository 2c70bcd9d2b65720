// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/draintest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// TestARefusalIsReadAndNotRepeated goes over HTTP: client-go would repeat a
// request with a Retry-After up to ten times without a word.
func TestARefusalIsReadAndNotRepeated(t *testing.T) {
	var mu sync.Mutex
	var bodies, paths []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		mu.Lock()
		bodies, paths = append(bodies, string(body)), append(paths, request.Method+" "+request.URL.Path)
		mu.Unlock()
		w.Header().Set("Retry-After", "10")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: http.StatusTooManyRequests,
			Reason: metav1.StatusReasonTooManyRequests, Message: "Cannot evict pod as it would violate the pod's disruption budget.",
			Details: &metav1.StatusDetails{RetryAfterSeconds: 10,
				Causes: []metav1.StatusCause{{Type: "DisruptionBudget", Message: "The disruption budget web needs 2"}}},
		})
	}))
	defer web.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: web.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	o := drain.DefaultOptions()
	o.GracePeriodSeconds = 7
	for _, tc := range []struct {
		action drain.Action
		want   string
	}{
		{drain.ActionEvict, "POST /api/v1/namespaces/shop/pods/a/eviction"},
		{drain.ActionDelete, "DELETE /api/v1/namespaces/shop/pods/a"},
	} {
		bodies, paths = nil, nil
		said := read(asker{client: client, opts: o, dryRun: true}.ask(t.Context(),
			drain.Verdict{Pod: drain.Pod{Namespace: "shop", Name: "a", UID: "uid-a"}, Action: tc.action}), drain.Right{})
		if said.kind != later || said.cause != drain.CauseBudget || said.after != 10*time.Second ||
			said.text != "The disruption budget web needs 2" {
			t.Errorf("%s: got %+v", tc.action, said)
		}
		if len(paths) != 1 || paths[0] != tc.want {
			t.Fatalf("%s: got requests %v", tc.action, paths)
		}
		for _, part := range []string{`"uid":"uid-a"`, `"gracePeriodSeconds":7`, `"dryRun":["All"]`} {
			if !strings.Contains(bodies[0], part) {
				t.Errorf("%s: %s is not in %s", tc.action, part, bodies[0])
			}
		}
		if tc.action == drain.ActionEvict && !strings.Contains(bodies[0], `"apiVersion":"policy/v1"`) {
			t.Errorf("not policy/v1: %s", bodies[0])
		}
	}
}

func TestRehearseAsksOnceAndNeverLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, kubetest.Pod("a"), kubetest.Pod("b"), kubetest.Pod("c", kubetest.InPhase(corev1.PodSucceeded)),
			kubetest.Pod("d", kubetest.DeletedAt(time.Now().Add(time.Hour), 3600)))
		s.answer = func(pod string, _ int) error {
			if pod == "a" {
				return refusedBy(kubetest.Budget("web", 2, 2, 0))
			}
			return nil
		}
		d := draintest.Decide(t, s.Clientset, drain.DefaultOptions())
		got, err := Rehearse(t.Context(), s.Clientset, d, drain.DefaultOptions())
		if err != nil || len(got) != 3 {
			t.Fatalf("got %+v, %v", got, err)
		}
		if got[0].Allowed || got[0].Cause != drain.CauseBudget ||
			got[0].Why != "The disruption budget web needs 2 healthy pods and has 2 currently" || !got[1].Allowed || !got[2].Allowed {
			t.Errorf("got %+v", got)
		}
		if s.asked("a") != 1 || s.asked("b") != 1 {
			t.Error("asked more than once")
		}
		if _, err := s.Tracker().Get(podResource, "shop", "b"); err != nil {
			t.Error("a rehearsal changed something")
		}
	})
}

func TestRefusedNowPutsPodsTogether(t *testing.T) {
	pod := func(name string) drain.Pod { return drain.Pod{Namespace: "shop", Name: name} }
	if err := RefusedNow([]Rehearsal{{Pod: pod("a"), Allowed: true}}); err != nil {
		t.Errorf("got %v", err)
	}
	err := RefusedNow([]Rehearsal{
		{Pod: pod("a"), Cause: drain.CauseBudget, Why: "needs 2"}, {Pod: pod("b"), Cause: drain.CauseBudget, Why: "needs 2"},
		{Pod: pod("c"), Cause: drain.CauseBudget, Why: "needs 2"}, {Pod: pod("d"), Cause: drain.CauseBudget, Why: "needs 2"},
		{Pod: pod("e"), Allowed: true}, {Pod: pod("f"), Cause: drain.CauseWebhook, Why: "denied"},
	})
	if want := "the server would not let 5 pods go now:\nneeds 2: shop/a, shop/b, shop/c and 1 more\ndenied: shop/f"; err.Error() != want ||
		plan.ClassOf(err) != plan.Found {
		t.Errorf("got %q of class %d, want %q", err, plan.ClassOf(err), want)
	}
}
