// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A plugin that is killed between a Node and its pods leaves both these and the
// record; the same command again ends all of it.
func TestARemovalWhoseNodeIsGoneEndsWithItsPods(t *testing.T) {
	for phase, want := range map[wire.Phase]bool{wire.Finished: true, wire.Working: false} {
		t.Run(string(phase), func(t *testing.T) {
			client := fake.NewClientset(
				flowtest.Record("w", wire.Remove, phase),
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "net"}, Spec: corev1.PodSpec{NodeName: "w"}})
			unfinished, found, err := FindUnfinished(t.Context(), runner.Cluster{Client: client}, "w")
			if found != want || (err == nil) != want {
				t.Fatalf("found %v, %v", found, err)
			}
			if found {
				if left, err := unfinished.Finish(t.Context()); len(left) > 0 || err != nil || unfinished.Pods != 1 {
					t.Fatalf("%d pods, left %v, %v", unfinished.Pods, left, err)
				}
			}
			pods, err := client.CoreV1().Pods("net").List(t.Context(), metav1.ListOptions{})
			if err != nil || (len(pods.Items) == 0) != want {
				t.Errorf("%d pods are left, %v", len(pods.Items), err)
			}
			_, held, err := runner.Get(t.Context(), runner.Cluster{Client: client}, "w")
			if err != nil || held == want {
				t.Errorf("the record is there: %v, %v", held, err)
			}
		})
	}
}

// A node that was installed anew, or joined anew, while the record of its last run is
// still there: the run is not continued, and nothing is taken back on its host.
func TestTheRunOfAnEarlierNodeIsForgotten(t *testing.T) {
	secret := flowtest.Record("w1", wire.Remove, wire.Finished, flowtest.With(wire.KeyNodeUID, "earlier"),
		flowtest.With(wire.KeyOutcome, `{"state":"clean"}`))
	now := flowtest.Worker()
	now.UID = "now"
	cluster := runner.Cluster{Client: flowtest.Permissive(t, nil, now, flowtest.KubeadmConfig(), secret)}
	r, err := PrepareRemove(t.Context(), cluster, "w1", Request{Drain: drain.DefaultOptions()})
	if err != nil || r.Resumes != nil || r.hostUnderWay() || !strings.Contains(strings.Join(r.Plan().Notes, "\n"),
		"the record of an earlier node of that name goes") {
		t.Errorf("%+v, %v", r, err)
	}
	p, err := Abort(t.Context(), cluster, "w1")
	if err != nil || !slices.Equal(p.IDs(), []string{"record"}) {
		t.Fatalf("%v, %v", p.IDs(), err)
	}
	if _, err := p.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, held, err := runner.Get(t.Context(), cluster, "w1"); held || err != nil {
		t.Errorf("the record is there: %v, %v", held, err)
	}
}

// A host that is down hears no order: that is said, and Ctrl-C ends the wait.
func TestAHostThatHearsNoOrderIsSaidToBeWaitedFor(t *testing.T) {
	secret := flowtest.Record("w1", wire.Remove, wire.Waiting, flowtest.With(wire.KeyOrder, string(wire.Retry)))
	cluster := runner.Cluster{Client: fake.NewClientset(secret)}
	rec, _, err := runner.Get(t.Context(), cluster, "w1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := ""
	r := removalOf(flowtest.Worker(), cluster)
	r.record = rec
	err = r.clean(ctx, func(format string, args ...any) {
		said = fmt.Sprintf(format, args...)
		cancel()
	})
	if plan.ClassOf(err) != plan.Interrupted || !strings.Contains(said, "is the host up") {
		t.Errorf("said %q, error %v", said, err)
	}
}

// The same of a move: the host is on its way, what it ran here is no more.
func TestAMoveWhoseNodeIsGoneEndsWithItsPods(t *testing.T) {
	client := fake.NewClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w1"), Namespace: runner.DefaultNamespace, UID: "1"}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "net"}, Spec: corev1.PodSpec{NodeName: "w1"}})
	rec := runner.Record{Namespace: runner.DefaultNamespace, Name: runner.NameFor("w1"), UID: "1", State: wire.State{Node: "w1"}}
	m := moveOf(runner.Cluster{Client: client}, Destination{Name: "there"})
	m.Gone, m.record, m.Resumes = true, rec, &rec
	p := m.Plan()
	p.Steps = p.Steps[:1]
	if _, err := p.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	pods, err := client.CoreV1().Pods("net").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods are left, %v", len(pods.Items), err)
	}
}

func TestAFinalizerIsNamedBeforeAnythingBegins(t *testing.T) {
	node := flowtest.Worker()
	node.Finalizers, node.ManagedFields = []string{"example.com/hold"}, flowtest.ManagedBy("rancher", "example.com/hold")
	r, err := PrepareRemove(t.Context(), runner.Cluster{Client: flowtest.Permissive(t, nil, node, flowtest.KubeadmConfig())}, "w1", Request{})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "finalizer example.com/hold (set by rancher)") {
		t.Fatalf("warnings %q, error %v", r.Warnings, err)
	}
	i := slices.IndexFunc(r.Plan().Steps, func(s plan.Step) bool { return s.ID == "node" })
	if title := r.Plan().Steps[i].Title; !strings.Contains(title, "and wait for its finalizers") {
		t.Errorf("step %q", title)
	}
}

// The whole end of a removal: the record outlives what lingers, and the same command
// again finishes.
func TestARecordStaysAsLongAsPodsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := flowtest.Worker()
		node.UID = "1"
		client := flowtest.Finalizing(t, node, flowtest.Record("w1", wire.Remove, wire.Finished),
			flowtest.BoundPod("a", "w1", "example.com/hold"))
		cluster := runner.Cluster{Client: client}
		rec, _, err := runner.Get(t.Context(), cluster, "w1")
		if err != nil {
			t.Fatal(err)
		}
		r := removalOf(node, cluster)
		r.record = rec
		p := plan.Plan{Steps: r.finishSteps()}
		result, err := p.Run(t.Context(), nil)
		if err != nil || !slices.Equal(result.Skipped, []string{"record"}) || len(r.Lingering) != 1 {
			t.Fatalf("%+v, lingering %v, %v", result, r.Lingering, err)
		}
		again := func() ([]departure.Lingering, bool) {
			u, found, err := FindUnfinished(t.Context(), cluster, "w1")
			if err != nil || !found {
				return nil, false
			}
			left, err := u.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return left, true
		}
		if left, found := again(); !found || len(left) != 1 {
			t.Errorf("a second run: found %v, left %v", found, left)
		}
		_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", "a")
		began := time.Now()
		if left, found := again(); !found || len(left) > 0 || time.Since(began) > time.Second {
			t.Errorf("a third run: found %v, left %v, after %s", found, left, time.Since(began))
		}
		if _, found := again(); found {
			t.Error("the record is still there")
		}
	})
}

// Its record is gone, and it waits for its finalizer: nobody is sent to give up a host.
func TestANodeThatIsBeingDeletedIsNotCalledDead(t *testing.T) {
	node, now := flowtest.SilentNode(), metav1.NewTime(time.Now())
	node.DeletionTimestamp, node.Finalizers = &now, []string{"example.com/hold"}
	_, err := PrepareRemove(t.Context(), runner.Cluster{Client: flowtest.Permissive(t, nil, node, flowtest.KubeadmConfig())}, "w1", Request{})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "waits for finalizer example.com/hold") ||
		strings.Contains(plan.HintOf(err), "--node-lost") {
		t.Errorf("error %v, hint %q", err, plan.HintOf(err))
	}
}
