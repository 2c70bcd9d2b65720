// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The token of a record may patch every key of it: a host that was taken over can
// say that the record is a control plane's, and finished.
func TestNoNodeButTheOneThatWasAskedForIsTouched(t *testing.T) {
	record := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: runner.NameFor("w1"), Namespace: runner.DefaultNamespace, UID: "1", Labels: map[string]string{runner.Label: "remove"}},
		Data: map[string][]byte{wire.KeyOperation: []byte("remove"), wire.KeyNode: []byte("cp1"), wire.KeyPhase: []byte(wire.Finished), wire.KeyToken: []byte("abcdef"),
			wire.KeySince: []byte("2026-01-02T03:04:05Z"), wire.KeyOutcome: []byte(`{"state":"clean"}`)},
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "etcd", Namespace: "kube-system", UID: "2"}, Spec: corev1.PodSpec{NodeName: "cp1"}}
	for name, act := range map[string]func(runner.Cluster) error{
		"a removal is prepared": func(c runner.Cluster) error {
			_, err := PrepareRemove(t.Context(), c, "w1", RemoveOptions{Drain: drain.DefaultOptions()})
			return err
		},
		"a run is taken back": func(c runner.Cluster) error {
			_, err := Abort(t.Context(), c, "w1")
			return err
		},
		"the host is looked at": func(c runner.Cluster) error {
			_, err := runner.Ask(t.Context(), c, worker(), runner.Question{Operation: wire.Inspect}, func(string, ...any) {})
			return err
		},
		"a move is taken up after its node has left": func(c runner.Cluster) error {
			there := Destination{Name: "there", Client: permissive(t, nil)}
			return (&Moving{Removal: &Removal{cluster: c, passage: &passage{to: there, node: "w1"}}}).prepareGone(t.Context(), ErrNoNode)
		},
		"the token of a move is made": func(c runner.Cluster) error {
			there := Destination{Name: "there", Client: permissive(t, nil)}
			return (&Moving{Removal: &Removal{cluster: c, passage: &passage{to: there, node: "w1"}}}).mint(t.Context(), func(string, ...any) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := permissive(t, nil, worker(), kubeadmConfig(), record.DeepCopy(), pod.DeepCopy())
			err := act(runner.Cluster{Client: client})
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "it is named for node w1 and says that it is of node cp1") || !strings.Contains(plan.HintOf(err), "delete secret lifecycle-w1") {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			for _, a := range client.Actions() {
				if a.GetVerb() == "delete" || a.GetVerb() == "patch" {
					t.Errorf("%s %s", a.GetVerb(), a.GetResource().Resource)
				}
			}
		})
	}
}

func TestAHostIsGivenNoTokenButItsOwn(t *testing.T) {
	token := func(description string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-abcdef", Namespace: "kube-system", UID: "1", Labels: map[string]string{bootstrap.Label: "token"}}, Type: "bootstrap.kubernetes.io/token",
			Data: map[string][]byte{"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "description": []byte(description),
				"expiration":                     []byte(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
				"usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-signing": []byte("true"),
				"auth-extra-groups": []byte("system:bootstrappers:kubeadm:default-node-token")},
		}
	}
	for description, its := range map[string]bool{"kubectl lifecycle move of node w1": true, "kubectl lifecycle move of node w2": false, "": false} {
		there := permissive(t, nil, token(description))
		m := &Moving{Removal: &Removal{Node: worker(), passage: &passage{to: Destination{Name: "there", Client: there}, node: "w1"}}}
		m.record.State.Token = "abcdef"
		got, err := m.known(t.Context(), "abcdef")
		if its != (err == nil) || its != (got.Whole() == "abcdef.0123456789abcdef") {
			t.Errorf("%q: error %v", description, err)
		}
		lasting, err := m.lasting(t.Context())
		if err != nil || its != (lasting.ID == "abcdef") {
			t.Errorf("%q: token %v for a person, error %v", description, lasting, err)
		}
	}
}

func TestARecordThatCannotBeReadIsNamedAndStopsNoControlPlane(t *testing.T) {
	other := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp2"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
	third := other
	third.Name = "cp3"
	junk := runner.Record{Name: "lifecycle-cp2", Damaged: plan.Refuse(errors.New("secret kube-system/lifecycle-cp2 is no run record"), "delete it")}
	warnings, err := farewell{node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp1"}}, others: []corev1.Node{other, third}, runs: []runner.Record{junk}}.decide()
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "lifecycle-cp2 is no run record: it is left out of account; delete it") {
		t.Errorf("warnings %q, error %v", warnings, err)
	}
}

func TestADryRunRefusesWhatTheHostWouldRefuse(t *testing.T) {
	file := []inventory.Item{{Kind: inventory.KindFile, Name: "/etc/kubernetes/kubelet.conf", Owner: inventory.Kubeadm, Fate: inventory.Goes}}
	for _, tc := range []struct {
		name      string
		inventory inventory.Inventory
		refused   string
	}{
		{"a host that may be cleaned", inventory.Inventory{Items: file}, ""},
		{"the pods' directory is a mount of an administrator's", inventory.Inventory{Items: file, Objection: "/var/lib/kubelet/pods is a mount", WayOut: "unmount it"}, "node w1: /var/lib/kubelet/pods is a mount"},
		{"the kubelet is astray, and nothing is known to go", inventory.Inventory{Objection: "several processes are this host's kubelet"}, "node w1: several processes are this host's kubelet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			removal, err := mayRemove("w1", tc.inventory)
			if tc.refused == "" {
				if err != nil || len(removal.Objects) != len(tc.inventory.Items) {
					t.Errorf("objects %v, error %v", removal.Objects, err)
				}
				return
			}
			if err == nil || err.Error() != tc.refused || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) != tc.inventory.WayOut || len(removal.Objects) > 0 {
				t.Errorf("objects %v, error %v, hint %q", removal.Objects, err, plan.HintOf(err))
			}
		})
	}
}
