// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// moveOf is a move of which only the node was read.
func moveOf(cluster runner.Cluster, to Destination) *Move {
	target := &moveTarget{to: to, node: "w1"}
	m := &Move{Removal: newRemoval(cluster, Request{Drain: drain.DefaultOptions()}, target.operation()), target: target}
	m.Node = flowtest.Worker()
	return m
}

// prefixes are those of some words that are networks.
func prefixes(words ...string) (out []netip.Prefix) {
	for _, word := range words {
		if p, err := netip.ParsePrefix(word); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func TestAWorkerLandsOnlyWhereItCanLive(t *testing.T) {
	for name, tc := range map[string]struct {
		joinCheck
		kubelet string
		refusal string
	}{
		"the same version":         {joinCheck{version: "v1.36.3", networks: prefixes("10.244.0.0/16")}, "v1.36.3", ""},
		"a kubelet three behind":   {joinCheck{version: "v1.36.3"}, "v1.33.1", ""},
		"a kubelet four behind":    {joinCheck{version: "v1.36.3"}, "v1.32.9", "more than 3 minor versions behind"},
		"a kubelet that is newer":  {joinCheck{version: "v1.35.4"}, "v1.36.0", "newer than the control plane of there (v1.35.4)"},
		"nobody knows the version": {joinCheck{}, "v1.36.0", ""},
		"its name is taken":        {joinCheck{taken: true, version: "v1.36.3"}, "v1.36.3", "there has a node w1 already"},
		"its address is a pod's there": {joinCheck{version: "v1.36.3", networks: prefixes("10.96.0.0/12", "192.0.2.0/24")}, "v1.36.3",
			"the address 192.0.2.7 of node w1 lies in 192.0.2.0/24"},
		"its address is a pod's there, IPv6": {joinCheck{version: "v1.36.3", networks: prefixes("2001:db8::/64")}, "v1.36.3",
			"the address 2001:db8::7"},
		"a network that is none": {joinCheck{version: "v1.36.3", networks: prefixes("nonsense")}, "v1.36.3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.node, tc.to = flowtest.Worker(), "there"
			tc.node.Status.NodeInfo.KubeletVersion = tc.kubelet
			tc.node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.7"},
				{Type: corev1.NodeInternalIP, Address: "2001:db8::7"}, {Type: corev1.NodeHostName, Address: "w1"}}
			err := tc.decide()
			if tc.refusal == "" && err != nil || tc.refusal != "" && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
				!strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

func TestTheRecipeOfAMoveRevokesItsTokenLast(t *testing.T) {
	m := moveOf(runner.Cluster{}, Destination{Name: "there"})
	want := []string{"token", "canary", "cordon", "drain", "volumes", "host", "node", "leftovers", "record", "arrival", "revoke"}
	if got := m.Plan().IDs(); !slices.Equal(got, want) {
		t.Errorf("steps %v, want %v", got, want)
	}
	m.Gone = true
	if got := m.Plan().IDs(); !slices.Equal(got, []string{"record", "arrival", "revoke"}) {
		t.Errorf("of a node that has left: %v", got)
	}
}

func TestTheTokenOfAHostThatCouldNotJoinStaysForWhoJoinsItByHand(t *testing.T) {
	for failure, want := range map[string]error{"kubeadm says no": plan.ErrKept, "": nil} {
		here, there := flowtest.Permissive(t, nil), flowtest.Permissive(t, nil)
		m := moveOf(runner.Cluster{Client: here}, Destination{Client: there})
		m.target.failure = failure
		if err := m.unmint(t.Context()); !errors.Is(err, want) {
			t.Errorf("after %q: %v, want %v", failure, err, want)
		}
		if touched := len(there.Actions()) > 0; touched != (want == nil) {
			t.Errorf("after %q: %v", failure, there.Actions())
		}
	}
}

func TestAMoveWhoseNodeIsNowhereIsTakenUpWhileItsTokenIsThere(t *testing.T) {
	system := func(uid string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: types.UID(uid)}}
	}
	token := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-abcdef", Namespace: "kube-system",
			Labels: map[string]string{bootstrap.Label: "join"}}, Type: "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{"token-id": []byte("abcdef"), "description": []byte("kubectl lifecycle move of node w1")},
	}
	for _, there := range [][]runtime.Object{{system("2"), token}, {system("2")}} {
		m := moveOf(runner.Cluster{Client: flowtest.Permissive(t, nil, system("1"))}, Destination{Client: flowtest.Permissive(t, nil, there...)})
		if err := m.prepareGone(t.Context(), kubenode.ErrNotFound); m.Gone != (len(there) == 2) || m.Gone != (err == nil) {
			t.Errorf("with %d objects there: gone %v, error %v", len(there), m.Gone, err)
		}
	}
}

func TestAMoveToTheSameClusterIsRefusedBeforeAnythingIsRead(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", UID: "1"}}
	here, there := flowtest.Permissive(t, nil, system, flowtest.Worker()), flowtest.Permissive(t, nil, system)
	_, err := PrepareMove(t.Context(), runner.Cluster{Client: here}, Destination{Name: "staging", Client: there}, "w1", Request{})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "staging is the cluster that node w1 is in") {
		t.Errorf("error %v", err)
	}
	denied := flowtest.Permissive(t, []string{"create secrets"}, system)
	_, err = PrepareMove(t.Context(), runner.Cluster{Client: here}, Destination{Name: "staging", Client: denied}, "w1", Request{})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "in staging: you may not create secrets") {
		t.Errorf("error %v", err)
	}
}
