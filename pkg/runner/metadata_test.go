// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A host's token may patch its record, and so its labels, annotations, owners and
// finalizers, which no role can keep from it. It hurts nothing but its own run by that: the
// node stays locked, no other record and no other node is reached, and what is said stays
// true.
func TestWhatAHostWritesIntoItsRecordsMetadataHurtsOnlyItself(t *testing.T) {
	now := metav1.Now()
	other := metav1.OwnerReference{APIVersion: "v1", Kind: "Node", Name: "other", UID: "other"}
	for name, tc := range map[string]struct {
		change func(*corev1.Secret)
		// relied says that the record still counts as one.
		relied bool
	}{
		"nothing":                   {func(*corev1.Secret) {}, true},
		"another operation":         {func(s *corev1.Secret) { s.Labels[Label] = string(wire.Inspect) }, true},
		"an operation that is none": {func(s *corev1.Secret) { s.Labels[Label] = "x" }, true},
		"no label":                  {func(s *corev1.Secret) { s.Labels = nil }, false},
		"an empty label":            {func(s *corev1.Secret) { s.Labels[Label] = "" }, false},
		"the mark of a lock":        {func(s *corev1.Secret) { s.Annotations = map[string]string{lockedBy: "x", lockedSince: "y"} }, true},
		"an owner":                  {func(s *corev1.Secret) { s.OwnerReferences = []metav1.OwnerReference{other} }, true},
		"a finalizer":               {func(s *corev1.Secret) { s.Finalizers = []string{"example.com/hold"} }, true},
		"a finalizer, and it goes": {func(s *corev1.Secret) {
			s.Finalizers, s.DeletionTimestamp = []string{"example.com/\x1b[2J"}, &now
		}, false},
		"it can be changed no longer": {func(s *corev1.Secret) { s.Immutable = new(true) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			mine, rec := recordOf("worker-1", "1")
			neighbour, _ := recordOf("worker-2", "2")
			tc.change(mine)
			client := fake.NewClientset(mine, neighbour, lockOf(rec.ownerRef()))
			cluster := Cluster{Client: client}
			found, there, err := Get(t.Context(), cluster, "worker-1")
			if !there || (err == nil) != tc.relied || err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
				strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("%+v, %v, %v", found, there, err)
			}
			if tc.relied && (found.State.Node != "worker-1" || found.State.Operation != wire.Remove || found.UID != "1") {
				t.Errorf("what counts is the data: %+v", found)
			}
			if _, err := create(t.Context(), cluster, Owner{Node: "worker-1", Operation: wire.Inspect}); plan.ClassOf(err) != plan.Refused {
				t.Errorf("the node is not locked any more: %v", err)
			}
			if err := cluster.holdControlPlanes(t.Context(), Record{Namespace: rec.Namespace, Name: "lifecycle-cp2",
				UID: "9"}); plan.ClassOf(err) != plan.Refused {
				t.Errorf("the control planes are not locked any more: %v", err)
			}
			all, err := List(t.Context(), cluster)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				if r.Name == neighbour.Name && (r.Damaged != nil || r.State.Node != "worker-2") {
					t.Errorf("its neighbour's: %+v", r)
				}
			}
		})
	}
}

// A record that stays at the end is not said to be gone.
func TestARecordThatSomethingHoldsIsNamedAtTheEnd(t *testing.T) {
	mine, rec := recordOf("worker-1", "1")
	mine.Finalizers = []string{"example.com/hold"}
	client := fake.NewClientset(mine)
	client.PrependReactor("delete", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) { // as the API server does
		now := metav1.Now()
		mine.DeletionTimestamp = &now
		return true, nil, client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("secrets"), mine, mine.Namespace)
	})
	err := End(t.Context(), client, rec)
	if err == nil || !strings.Contains(err.Error(), "held by example.com/hold") ||
		!strings.Contains(plan.HintOf(err), "kubectl -n kube-system patch secret lifecycle-worker-1") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
}
