// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// TestNoNodeChoosesTheImageOfNewHosts: a node may claim any images, and as often as it
// likes.
func TestNoNodeChoosesTheImageOfNewHosts(t *testing.T) {
	evil := node("evil", slices.Repeat([]string{"registry.k8s.io/pause:0"}, 100)...)
	evil.Status.Images = slices.Repeat(evil.Status.Images, 50)
	honest := []corev1.Node{node("a", "registry.k8s.io/pause:3.10"), node("b", "registry.k8s.io/pause:3.10")}
	if got := sandboxImage("", append(honest, evil)); got != "registry.k8s.io/pause:3.10" {
		t.Errorf("one against two: %s", got)
	}
	leader := node("cp", "registry.k8s.io/pause:3.10")
	leader.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	if got := sandboxImage("", []corev1.Node{evil, evil, leader}); got != "registry.k8s.io/pause:3.10" {
		t.Errorf("against a control plane: %s", got)
	}
}

// TestNoTenantChoosesTheNetworkOfNewHosts: by it ports are opened in their firewalls.
func TestNoTenantChoosesTheNetworkOfNewHosts(t *testing.T) {
	if got := network([]agent{{"dev", "kube-flannel-ds"}, {"dev", "cilium"}, {"calico-system", "calico-node"}}); got != "calico" {
		t.Errorf("%q", got)
	}
}

// says is a host that answers something.
type says struct{ joined prep.Joined }

func (s says) Deliver(context.Context, wire.Delivery, plan.Report) (wire.Answer, error) {
	raw, err := json.Marshal(s.joined)
	return wire.Answer{Result: raw}, err
}

// TestAHostThatClaimsAnotherNameHasNotJoined: it was told to be one node, and the state of
// another says nothing of it.
func TestAHostThatClaimsAnotherNameHasNotJoined(t *testing.T) {
	host := says{prep.Joined{Node: "cp1", Already: true}}
	if _, err := Join(t.Context(), host, prep.Order{}, Target{NodeName: "w9"}, func(string, ...any) {}); err == nil {
		t.Error("no error")
	}
	if _, err := Join(t.Context(), host, prep.Order{}, Target{}, func(string, ...any) {}); err != nil {
		t.Error(err)
	}
}
