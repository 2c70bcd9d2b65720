// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
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
				&corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w"), Namespace: runner.DefaultNamespace, Labels: map[string]string{runner.Label: "remove"}},
					Data: map[string][]byte{wire.KeyOperation: []byte("remove"), wire.KeyNode: []byte("w"), wire.KeyPhase: []byte(phase),
						wire.KeySince: []byte("2026-01-02T03:04:05Z")},
				},
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: "net"}, Spec: corev1.PodSpec{NodeName: "w"}})
			finished, err := FinishRecord(t.Context(), runner.Cluster{Client: client}, "w")
			if finished != want || (err == nil) != want {
				t.Fatalf("finished %v, %v", finished, err)
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
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w1"), Namespace: runner.DefaultNamespace, Labels: map[string]string{runner.Label: "remove"}},
		Data: map[string][]byte{wire.KeyOperation: []byte("remove"), wire.KeyNode: []byte("w1"), wire.KeyPhase: []byte(wire.Finished),
			wire.KeySince: []byte("2026-01-02T03:04:05Z"), wire.KeyNodeUID: []byte("earlier"), wire.KeyOutcome: []byte(`{"state":"clean"}`)},
	}
	now := worker()
	now.UID = "now"
	cluster := runner.Cluster{Client: permissive(t, nil, now, kubeadmConfig(), secret)}
	r, err := PrepareRemove(t.Context(), cluster, "w1", RemoveOptions{Drain: drain.DefaultOptions()})
	if err != nil || r.Resumes != nil || r.hostUnderWay() || !strings.Contains(strings.Join(r.Plan().Notes, "\n"), "the record of an earlier node of that name goes") {
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
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w1"), Namespace: runner.DefaultNamespace, UID: "1", Labels: map[string]string{runner.Label: "remove"}},
		Data:       map[string][]byte{wire.KeyOperation: []byte("remove"), wire.KeyNode: []byte("w1"), wire.KeyPhase: []byte(wire.Waiting), wire.KeyOrder: []byte(wire.Retry)},
	}
	cluster := runner.Cluster{Client: fake.NewClientset(secret)}
	rec, _, err := runner.Get(t.Context(), cluster, "w1")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := ""
	r := &Removal{Node: worker(), cluster: cluster, record: rec}
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
	m := &Moving{Gone: true, Removal: &Removal{
		Node: worker(), cluster: runner.Cluster{Client: client}, record: rec, Resumes: &rec, passage: &passage{to: Destination{Name: "there"}, node: "w1"},
	}}
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
