// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The token of a record may patch every key of it: a host that was taken over can
// say that the record is a control plane's, and finished.
func TestNoNodeButTheOneThatWasAskedForIsTouched(t *testing.T) {
	record := flowtest.Record("w1", wire.Remove, wire.Finished, flowtest.With(wire.KeyNode, "cp1"), flowtest.With(wire.KeyToken, "abcdef"),
		flowtest.With(wire.KeyOutcome, `{"state":"clean"}`))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "etcd", Namespace: "kube-system", UID: "2"}, Spec: corev1.PodSpec{NodeName: "cp1"}}
	for name, act := range map[string]func(runner.Cluster) error{
		"a removal is prepared": func(c runner.Cluster) error {
			_, err := PrepareRemove(t.Context(), c, "w1", Request{Drain: drain.DefaultOptions()})
			return err
		},
		"a run is taken back": func(c runner.Cluster) error {
			_, err := Abort(t.Context(), c, "w1")
			return err
		},
		"the host is looked at": func(c runner.Cluster) error {
			_, err := runner.RunOnce(t.Context(), c, flowtest.Worker(), runner.Question{Operation: wire.Inspect}, func(string, ...any) {})
			return err
		},
		"a move is taken up after its node has left": func(c runner.Cluster) error {
			there := Destination{Name: "there", Client: flowtest.Permissive(t, nil)}
			return moveOf(c, there).prepareGone(t.Context(), kubenode.ErrNotFound)
		},
		"the token of a move is made": func(c runner.Cluster) error {
			there := Destination{Name: "there", Client: flowtest.Permissive(t, nil)}
			return moveOf(c, there).mint(t.Context(), func(string, ...any) {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig(), record.DeepCopy(), pod.DeepCopy())
			err := act(runner.Cluster{Client: client})
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "it is named for node w1 and says that it is of node cp1") ||
				!strings.Contains(plan.HintOf(err), "delete secret lifecycle-w1") {
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
			ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-abcdef", Namespace: "kube-system", UID: "1",
				Labels: map[string]string{bootstrap.Label: "token"}}, Type: "bootstrap.kubernetes.io/token",
			Data: map[string][]byte{"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "description": []byte(description),
				"expiration":                     []byte(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
				"usage-bootstrap-authentication": []byte("true"), "usage-bootstrap-signing": []byte("true"),
				"auth-extra-groups": []byte("system:bootstrappers:kubeadm:default-node-token")},
		}
	}
	for description, its := range map[string]bool{"kubectl lifecycle move of node w1": true,
		"kubectl lifecycle move of node w2": false, "": false} {
		there := flowtest.Permissive(t, nil, token(description))
		m := moveOf(runner.Cluster{}, Destination{Name: "there", Client: there})
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

func TestADryRunRefusesWhatTheHostWouldRefuse(t *testing.T) {
	file := []inventory.Item{{Kind: inventory.KindFile, Name: "/etc/kubernetes/kubelet.conf", Owner: inventory.Kubeadm, Fate: inventory.Goes}}
	for _, tc := range []struct {
		name      string
		inventory inventory.Inventory
		refused   string
	}{
		{"a host that may be cleaned", inventory.Inventory{Items: file}, ""},
		{"the pods' directory is a mount of an administrator's", inventory.Inventory{Items: file, Objection: "/var/lib/kubelet/pods is a mount",
			WayOut: "unmount it"}, "node w1: /var/lib/kubelet/pods is a mount"},
		{"the kubelet is astray, and nothing is known to go", inventory.Inventory{Objection: "several processes are this host's kubelet"},
			"node w1: several processes are this host's kubelet"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			removal, err := mayRemove("w1", tc.inventory)
			if tc.refused == "" {
				if err != nil || len(removal.Objects) != len(tc.inventory.Items) {
					t.Errorf("objects %v, error %v", removal.Objects, err)
				}
				return
			}
			if err == nil || err.Error() != tc.refused || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) != wire.Advice("w1",
				tc.inventory.WayOut) || len(removal.Objects) > 0 {
				t.Errorf("objects %v, error %v, hint %q", removal.Objects, err, plan.HintOf(err))
			}
		})
	}
}
