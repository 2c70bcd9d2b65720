// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestAPodUsesANetworkUnlessItsOwnIsAnothers(t *testing.T) {
	for name, tc := range map[string]struct {
		owner   inventory.Owner
		results string // of the sandbox s1, and of other sandboxes
		uses    bool
	}{
		"the network's usual name":                {inventory.Flannel, "cbr0-s1-eth0", true},
		"nothing is written down":                 {inventory.Flannel, "", true},
		"the loopback alone":                      {inventory.Antrea, "cni-loopback-s1-lo", true},
		"another pod network's name":              {inventory.Flannel, "antrea-s1-eth0", false},
		"another's, and the loopback":             {inventory.Calico, "cni-loopback-s1-lo cilium-s1-eth0", false},
		"two others'":                             {inventory.Weave, "kube-ovn-s1-eth0 cilium-s1-eth1", false},
		"another's, and a second interface in it": {inventory.Cilium, "k8s-pod-network-s1-eth0 cilium-s1-net1", true},
		"Multus, which calls it":                  {inventory.KubeOVN, "multus-cni-network-s1-eth0", true},
		"Multus, which calls another":             {inventory.KubeOVN, "cbr0-s1-eth0 multus-cni-network-s1-eth0", true},
		"Cilium's chain with portmap":             {inventory.Cilium, "portmap-s1-eth0", true},
		"a chain on another's interfaces":         {inventory.Cilium, "generic-veth-s1-eth0", true},
		"a name of a person's":                    {inventory.Calico, "prod-pods-s1-eth0", true},
		"a name that begins like another's":       {inventory.Calico, "cbr0-blue-s1-eth0", true},
		"a name that ends like another's":         {inventory.Calico, "blue-cbr0-s1-eth0", true},
		"another sandbox is another's":            {inventory.Flannel, "cilium-s2-eth0", true},
	} {
		if uses := inNetwork(inventory.Scope{Owner: tc.owner}, "s1", strings.Fields(tc.results)); uses != tc.uses {
			t.Errorf("%s: uses it: %v, want %v", name, uses, tc.uses)
		}
	}
}

func TestNoNameOfANetworkIsAnothersThanItsOwners(t *testing.T) {
	for owner, name := range inventory.Networks() {
		for other := range inventory.Networks() {
			if got := (inventory.Scope{Owner: other}).AnothersNetwork(name); got != (owner != other) {
				t.Errorf("%s for %s: another's: %v", name, other, got)
			}
		}
	}
	for _, limited := range []inventory.Owner{"", inventory.KubeProxy} {
		if (inventory.Scope{Owner: limited}).AnothersNetwork("cbr0") {
			t.Errorf("%q has no network, and tells others' from it", limited)
		}
	}
}
