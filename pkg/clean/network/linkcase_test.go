// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestALinkNeedsASecondSign(t *testing.T) {
	facts := inventory.Facts{PodCIDRs: []string{"10.244.0.0/16"}, ServiceCIDRs: []string{"10.96.0.0/12"}}
	at := func(addrs ...string) (out []netip.Prefix) {
		for _, a := range addrs {
			out = append(out, netip.MustParsePrefix(a))
		}
		return out
	}
	for _, tc := range []struct {
		name            string
		link            linkView
		second, claimed bool
		owner, perhaps  inventory.Owner
	}{
		{"cni0 with an address of the pods is ours", linkView{"cni0", "bridge", 0, at("10.244.1.1/24")}, false, false, inventory.CNIPlugins,
			inventory.Foreign},
		{"cni0 with an address of others and no other sign may be ours", linkView{"cni0", "bridge", 0, at("10.85.0.1/16")}, false, false,
			inventory.Foreign, inventory.CNIPlugins},
		{"cni0 of a configuration that stays is another network's", linkView{"cni0", "bridge", 0, at("10.85.0.1/16")}, true, true,
			inventory.Foreign, inventory.Foreign},
		{"cni0 of such a configuration without an address, too", linkView{"cni0", "bridge", 0, nil}, true, true, inventory.Foreign,
			inventory.Foreign},
		{"cni0 that both use, with the pods' address alone, is ours", linkView{"cni0", "bridge", 0, at("10.244.1.1/24")}, false, true,
			inventory.CNIPlugins, inventory.Foreign},
		{"cni0 that both use, with both addresses, is not", linkView{"cni0", "bridge", 0, at("10.244.1.1/24", "10.85.0.1/16")}, true, true,
			inventory.Foreign, inventory.Foreign},
		{"flannel.1 of network 1 is flannel's where flannel was", linkView{"flannel.1", "vxlan", 1, nil}, true, false, inventory.Flannel,
			inventory.Foreign},
		{"flannel.1 of network 99 is none that we know", linkView{"flannel.1", "vxlan", 99, at("10.244.1.0/32")}, true, false, inventory.Foreign,
			inventory.Foreign},
		{"flannel-v6.1 needs a second sign, too", linkView{"flannel-v6.1", "vxlan", 1, nil}, false, false, inventory.Foreign, inventory.Flannel},
		{"kube-ipvs0 with an address of a service is kube-proxy's", linkView{"kube-ipvs0", "dummy", 0, at("10.96.0.10/32")}, false, false,
			inventory.KubeProxy, inventory.Foreign},
		{"kube-ipvs0 with another address and no sign may be", linkView{"kube-ipvs0", "dummy", 0, at("192.0.2.7/32")}, false, false,
			inventory.Foreign, inventory.KubeProxy},
		{"nodelocaldns with its address is its own", linkView{"nodelocaldns", "dummy", 0, at("169.254.20.10/32")}, false, false,
			inventory.NodeDNS, inventory.Foreign},
		{
			"nodelocaldns with the address that pods are sent to is its own", linkView{"nodelocaldns", "dummy", 0, at("169.254.25.10/32")},
			false, false, inventory.NodeDNS, inventory.Foreign,
		},
		{"a dummy of that name with another address may be", linkView{"nodelocaldns", "dummy", 0, at("192.0.2.53/32")}, false, false,
			inventory.Foreign, inventory.NodeDNS},
		{"vxlan.calico alone may be Calico's", linkView{"vxlan.calico", "vxlan", 4096, nil}, false, false, inventory.Foreign, inventory.Calico},
		{"weave alone may be Weave's", linkView{"weave", "bridge", 0, nil}, false, false, inventory.Foreign, inventory.Weave},
		{"a limit of Calico's is Calico's where Calico was", linkView{"bwcali6514ff3bb", "ifb", 0, nil}, true, false, inventory.Calico,
			inventory.Foreign},
		{"a limit of the plugin's alone may be a pod's", linkView{"bwp0123456789ab", "ifb", 0, nil}, false, false, inventory.Foreign,
			inventory.CNIPlugins},
		{"a limit where people's own network has limits is theirs", linkView{"bwp0123456789ab", "ifb", 0, nil}, true, true, inventory.Foreign,
			inventory.Foreign},
		{"a tap called cali1 is a person's", linkView{"cali1", "tuntap", 0, nil}, true, false, inventory.Foreign, inventory.Foreign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			owner, perhaps := decideLink(tc.link, linkCase{facts: facts, second: tc.second, dns: []string{"169.254.25.10"}, claimed: tc.claimed})
			if owner != tc.owner || perhaps != tc.perhaps {
				t.Errorf("got %s, perhaps %s; want %s, perhaps %s", owner, perhaps, tc.owner, tc.perhaps)
			}
		})
	}
}

// On a host that stays a node a bridge may be the network of the pods that run there.
func TestABridgeOfAConfigurationThatStaysIsSparedOnANode(t *testing.T) {
	facts := inventory.Facts{PodCIDRs: []string{"10.244.0.0/16", "fd00::/56"}}
	for name, tc := range map[string]struct {
		addrs            string
		claimed, limited bool
		owner            inventory.Owner
	}{
		"with a pod address":                                  {"10.244.1.1/24", true, true, inventory.Foreign},
		"with a pod address of the second family":             {"fd00:0:0:1::1/64", true, true, inventory.Foreign},
		"with an address of its own":                          {"10.85.0.1/16", true, true, inventory.Foreign},
		"with a pod address, where all of the cluster goes":   {"10.244.1.1/24", true, false, inventory.CNIPlugins},
		"with a pod address, and no configuration that stays": {"10.244.1.1/24", false, true, inventory.CNIPlugins},
	} {
		link := linkView{name: "cni0", kind: "bridge", addrs: []netip.Prefix{netip.MustParsePrefix(tc.addrs)}}
		owner, _ := decideLink(link, linkCase{facts: facts, second: true, claimed: tc.claimed, limited: tc.limited})
		if owner != tc.owner {
			t.Errorf("%s: %s, want %s", name, owner, tc.owner)
		}
	}
}

func TestAPortOfABridgeIsAPodsByWhereItsOtherEndIs(t *testing.T) {
	pods, held := map[int]bool{1: true, 3: true}, map[int]bool{2: true, 3: true}
	for name, tc := range map[string]struct {
		port portView
		want bool
	}{
		"in a pod":                     {portView{"veth01234567", 1}, true},
		"in a pod, under another name": {portView{"lan7", 1}, true},
		"in a pod that a program of the host's is in":    {portView{"veth01234567", 3}, true},
		"in a container of a person's":                   {portView{"veth01234567", 2}, false},
		"in a pod that has just ended":                   {portView{"veth01234567", 4}, true},
		"in a container that has just ended, of Docker":  {portView{"veth0123456", 4}, false},
		"where it cannot be told, under a person's name": {portView{"veth-backups", 4}, false},
		"here, too": {portView{"veth01234567", -1}, false},
		"here, too, and called as a virtual machine's": {portView{"vnet0", -1}, false},
	} {
		if got := ofPod(tc.port, pods, func() map[int]bool { return held }); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
