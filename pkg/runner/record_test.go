// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// held is a record as another run has left it.
func held(op wire.Operation, phase wire.Phase) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "lifecycle-worker-1", Namespace: DefaultNamespace, UID: "1",
			Labels: map[string]string{Label: string(op)}},
		Data: map[string][]byte{
			wire.KeyOperation: []byte(op), wire.KeyNode: []byte("worker-1"), wire.KeyWho: []byte("alice@laptop"),
			wire.KeySince: []byte("2026-01-02T03:04:05Z"), wire.KeyPhase: []byte(phase),
		},
	}
}

func node(arch string) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}}
	n.Status.NodeInfo.Architecture = arch
	return n
}

func quiet(string, ...any) {}

func TestARecordIsTheLockOnItsNode(t *testing.T) {
	stranger := held(wire.Remove, wire.Working)
	stranger.Labels = nil
	cases := map[string]struct {
		there  runtime.Object
		phase  wire.Phase
		refuse string
	}{
		"another operation holds it": {held("prepare", wire.Working), "",
			"prepare of node worker-1 by alice@laptop since 2026-01-0"},
		"the same operation is taken up":             {held(wire.Remove, wire.Working), wire.Working, ""},
		"the same operation waits, and is taken up":  {held(wire.Remove, wire.Waiting), wire.Waiting, ""},
		"a secret of that name that is not a record": {stranger, "", "is not a run record"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(c.there)
			rec, err := Begin(t.Context(), Cluster{Client: client},
				Task{Node: node("amd64"), Owner: Owner{Operation: wire.Remove, Who: "bob"}}, quiet)
			if c.refuse != "" {
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.refuse) || plan.HintOf(err) == "" {
					t.Errorf("error %v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if err != nil || rec.State.Phase != c.phase {
				t.Errorf("record %+v, error %v", rec, err)
			}
		})
	}
}

func TestTheRecordOfAnEarlierNodeIsReplaced(t *testing.T) {
	for operation, phase := range map[wire.Operation]wire.Phase{wire.Remove: wire.Finished, wire.Move: wire.Waiting} {
		old := held(operation, phase)
		old.UID, old.Data[wire.KeyNodeUID] = "old-record", []byte("earlier")
		client := fake.NewClientset(old)
		worker := node("riscv64") // for which there is no program, so that it ends before a pod is made
		worker.UID = "now"
		var said []string
		_, err := Begin(t.Context(), Cluster{Client: client}, Task{Node: worker, Owner: Owner{Operation: wire.Remove, Who: "bob"}},
			func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
		if plan.ClassOf(err) != plan.Refused || len(said) == 0 ||
			!strings.HasPrefix(said[0], "replacing the record of an earlier node of that name: "+string(operation)) {
			t.Errorf("%s: said %q, error %v", operation, said, err)
		}
		left, listErr := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
		if listErr != nil || len(left.Items) != 0 {
			t.Errorf("left: %v, %v", left.Items, listErr)
		}
	}
	rec := Record{State: wire.State{NodeUID: "now"}}
	worker := node("amd64")
	if !rec.Of(worker) {
		t.Error("a node without a UID")
	}
	if worker.UID = "now"; !rec.Of(worker) || !(Record{}).Of(worker) {
		t.Error("its own record, or one that does not say")
	}
}

func TestARunThatCannotStartLeavesNothing(t *testing.T) {
	client := fake.NewClientset()
	_, err := Begin(t.Context(), Cluster{Client: client}, Task{Node: node("riscv64"), Owner: Owner{Operation: wire.Remove}}, quiet)
	if plan.ClassOf(err) != plan.Refused {
		t.Errorf("error %v", err)
	}
	secrets, listErr := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	if listErr != nil || len(secrets.Items) != 0 {
		t.Errorf("left behind: %v, error %v", secrets.Items, listErr)
	}
}

func TestAHostThatIsBeingChangedIsNotLookedAt(t *testing.T) {
	client := fake.NewClientset(held(wire.Remove, wire.Working))
	if _, err := RunOnce(t.Context(), Cluster{Client: client}, node("amd64"), Question{Operation: wire.Inspect},
		quiet); !errors.Is(err, ErrBusy) {
		t.Errorf("error %v", err)
	}
}

func TestTheIdentityReachesItsOwnRecordOnly(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("create", "serviceaccounts", func(a clienttesting.Action) (bool, runtime.Object, error) {
		return a.GetSubresource() == "token", &authv1.TokenRequest{Status: authv1.TokenRequestStatus{Token: "t"}}, nil
	})
	rec := Record{Namespace: "ns", Name: "lifecycle-w", UID: "7", State: wire.State{Operation: wire.Remove}}
	if _, err := rec.identity(t.Context(), client, tokenOfRun); err != nil {
		t.Fatal(err)
	}
	role, err := client.RbacV1().Roles("ns").Get(t.Context(), "lifecycle-w", metav1.GetOptions{})
	if err != nil || len(role.Rules) != 1 {
		t.Fatalf("role %+v, error %v", role, err)
	}
	rule := role.Rules[0]
	if strings.Join(rule.ResourceNames, " ") != "lifecycle-w" || strings.Join(rule.Verbs, " ") != "get patch" ||
		strings.Join(rule.Resources, " ") != "secrets" {
		t.Errorf("rule %+v", rule)
	}
	if len(role.OwnerReferences) != 1 || role.OwnerReferences[0].UID != "7" {
		t.Errorf("owners %+v: it would outlive its record", role.OwnerReferences)
	}
}

func TestNamesFitEvenForTheLongestNode(t *testing.T) {
	a, b := strings.Repeat("a", 252)+"x", strings.Repeat("a", 252)+"y"
	if len(NameFor(a)) > 253-len("-look") || NameFor(a) == NameFor(b) {
		t.Errorf("names %q and %q", NameFor(a), NameFor(b))
	}
}

func TestWhatAnEarlierRecordLeftIsMadeAnew(t *testing.T) {
	rec := Record{Namespace: DefaultNamespace, Name: "lifecycle-worker-1", UID: "2", State: wire.State{Operation: wire.Remove}}
	there := func(owner types.UID, label string) *corev1.ServiceAccount {
		meta := metav1.ObjectMeta{Name: rec.Name, Namespace: rec.Namespace, UID: "there",
			OwnerReferences: []metav1.OwnerReference{{Kind: "Secret", Name: rec.Name, UID: owner}}}
		if label != "" {
			meta.Labels = map[string]string{Label: label}
		}
		return &corev1.ServiceAccount{ObjectMeta: meta}
	}
	for name, tc := range map[string]struct {
		there   *corev1.ServiceAccount
		deleted bool
		refused bool
	}{
		"this record's is kept":          {there("2", "remove"), false, false},
		"an earlier record's is deleted": {there("1", "remove"), true, false},
		"somebody else's is refused":     {there("9", ""), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(tc.there)
			client.PrependReactor("create", "serviceaccounts", func(action clienttesting.Action) (bool, runtime.Object, error) {
				if action.GetSubresource() != "token" {
					return false, nil, nil
				}
				return true, &authv1.TokenRequest{Status: authv1.TokenRequestStatus{Token: "t"}}, nil
			})
			_, err := rec.identity(t.Context(), client, tokenOfRun)
			if tc.refused != (plan.ClassOf(err) == plan.Refused) || !tc.refused && err != nil {
				t.Fatalf("got %v", err)
			}
			deleted := false
			for _, action := range client.Actions() {
				deleted = deleted || action.Matches("delete", "serviceaccounts")
			}
			if deleted != tc.deleted {
				t.Errorf("deleted: %v", deleted)
			}
		})
	}
}
