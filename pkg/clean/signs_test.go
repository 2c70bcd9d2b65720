// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		{"cni0 with an address of the pods is ours", linkView{"cni0", "bridge", 0, at("10.244.1.1/24")}, false, false, inventory.CNIPlugins, inventory.Foreign},
		{"cni0 with an address of others and no other sign may be ours", linkView{"cni0", "bridge", 0, at("10.85.0.1/16")}, false, false, inventory.Foreign, inventory.CNIPlugins},
		{"cni0 of a configuration that stays is another network's", linkView{"cni0", "bridge", 0, at("10.85.0.1/16")}, true, true, inventory.Foreign, inventory.Foreign},
		{"cni0 of such a configuration without an address, too", linkView{"cni0", "bridge", 0, nil}, true, true, inventory.Foreign, inventory.Foreign},
		{"cni0 that both use, with the pods' address alone, is ours", linkView{"cni0", "bridge", 0, at("10.244.1.1/24")}, false, true, inventory.CNIPlugins, inventory.Foreign},
		{"cni0 that both use, with both addresses, is not", linkView{"cni0", "bridge", 0, at("10.244.1.1/24", "10.85.0.1/16")}, true, true, inventory.Foreign, inventory.Foreign},
		{"flannel.1 of network 1 is flannel's where flannel was", linkView{"flannel.1", "vxlan", 1, nil}, true, false, inventory.Flannel, inventory.Foreign},
		{"flannel.1 of network 99 is none that we know", linkView{"flannel.1", "vxlan", 99, at("10.244.1.0/32")}, true, false, inventory.Foreign, inventory.Foreign},
		{"flannel-v6.1 needs a second sign, too", linkView{"flannel-v6.1", "vxlan", 1, nil}, false, false, inventory.Foreign, inventory.Flannel},
		{"kube-ipvs0 with an address of a service is kube-proxy's", linkView{"kube-ipvs0", "dummy", 0, at("10.96.0.10/32")}, false, false, inventory.KubeProxy, inventory.Foreign},
		{"kube-ipvs0 with another address and no sign may be", linkView{"kube-ipvs0", "dummy", 0, at("192.0.2.7/32")}, false, false, inventory.Foreign, inventory.KubeProxy},
		{"nodelocaldns with its address is its own", linkView{"nodelocaldns", "dummy", 0, at("169.254.20.10/32")}, false, false, inventory.NodeDNS, inventory.Foreign},
		{"a dummy of that name with another address may be", linkView{"nodelocaldns", "dummy", 0, at("192.0.2.53/32")}, false, false, inventory.Foreign, inventory.NodeDNS},
		{"vxlan.calico alone may be Calico's", linkView{"vxlan.calico", "vxlan", 4096, nil}, false, false, inventory.Foreign, inventory.Calico},
		{"weave alone may be Weave's", linkView{"weave", "bridge", 0, nil}, false, false, inventory.Foreign, inventory.Weave},
		{"a tap called cali1 is a person's", linkView{"cali1", "tuntap", 0, nil}, true, false, inventory.Foreign, inventory.Foreign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			owner, perhaps := decideLink(tc.link, linkCase{facts, tc.second, tc.claimed})
			if owner != tc.owner || perhaps != tc.perhaps {
				t.Errorf("got %s, perhaps %s; want %s, perhaps %s", owner, perhaps, tc.owner, tc.perhaps)
			}
		})
	}
}

func TestASignOfTheSameKindIsNoSecondOne(t *testing.T) {
	m := marks{}
	m.add(inventory.KubeRouter, inventory.KindRule)
	m.add(inventory.Foreign, inventory.KindFile)
	if m.besides(inventory.KubeRouter, inventory.KindRule, inventory.KindRoute) || m.besides(inventory.Foreign) || !m.besides(inventory.KubeRouter, inventory.KindLink) {
		t.Errorf("marks: %v", m)
	}
	m.merge(marks{inventory.KubeRouter: {inventory.KindFile}})
	if !m.besides(inventory.KubeRouter, inventory.KindRule, inventory.KindRoute) {
		t.Errorf("marks: %v", m)
	}
}

func TestFactsThatCannotBe(t *testing.T) {
	main, gateways := []netip.Addr{netip.MustParseAddr("192.168.1.10")}, []netip.Addr{netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("2001:db8::1")}
	for _, tc := range []struct {
		name            string
		network, nodeIP string
		believed        bool
	}{
		{"a pod network", "10.244.0.0/16", "", true},
		{"a pod network of IPv6", "fd00:10:244::/56", "", true},
		{"the widest that is believed", "10.0.0.0/8", "", true},
		{"everything", "0.0.0.0/0", "", false},
		{"half of everything", "128.0.0.0/1", "", false},
		{"all of IPv6 that is private", "fd00::/8", "", false},
		{"the network that this host is in", "192.168.0.0/16", "", false},
		{"the host itself", "192.168.1.10/32", "", false},
		{"the network of its router of IPv6", "2001:db8::/64", "", false},
		{"no network", "10.244.0.0", "", false},
		{"another node", "", "192.168.1.11", true},
		{"the router as a node", "", "192.168.1.1", false},
		{"the router as a node, written as IPv6", "", "::ffff:192.168.1.1", false},
		{"no address", "", "router", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := inventory.Facts{}
			if tc.network != "" {
				f.PodCIDRs, f.ServiceCIDRs = []string{tc.network}, []string{tc.network}
			} else {
				f.NodeIPs = []string{tc.nodeIP}
			}
			got := believable(f, main, gateways)
			if n := len(got.PodCIDRs) + len(got.ServiceCIDRs) + len(got.NodeIPs); (n > 0) != tc.believed {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestEveryKindThatGoesHasAStage(t *testing.T) {
	for _, kind := range inventory.KindOrder() {
		if kind != inventory.KindSysctl && kind != inventory.KindFlags && inventory.Stage(inventory.Item{Kind: kind, Fate: inventory.Goes}) < 0 {
			t.Errorf("%s has no stage: it would be listed before the etcd member", kind)
		}
	}
}

func TestTheStagesAreInTheOrderOfARemoval(t *testing.T) {
	order := []inventory.Kind{
		inventory.KindMember, inventory.KindUnit, inventory.KindSandbox, inventory.KindProcess, inventory.KindMount, inventory.KindNetNS, inventory.KindProgram, inventory.KindVirtual, inventory.KindLink, inventory.KindRoute, inventory.KindJump, inventory.KindChain, inventory.KindIPSet,
		inventory.KindPin, inventory.KindCgroup, inventory.KindFile,
	}
	var got []int
	for _, kind := range order {
		got = append(got, inventory.Stage(inventory.Item{Kind: kind}))
	}
	for i := 1; i < len(got); i++ {
		if got[i-1] >= got[i] {
			t.Errorf("%s (stage %d) does not come before %s (stage %d)", order[i-1], got[i-1], order[i], got[i])
		}
	}
}

func TestAVerdictThatNamesWhatStillRefers(t *testing.T) {
	but := inventory.Item{Kind: inventory.KindFile, Name: "/etc/x", Owner: inventory.Foreign, Fate: inventory.Stays, Refers: "the cluster's certificate authority"}
	for _, tc := range []struct {
		name    string
		after   inventory.Inventory
		want    inventory.State
		summary string
	}{
		{"a file that leads to the cluster is no clean", inventory.Inventory{Items: []inventory.Item{but}}, inventory.CleanBut, "clean, but 1 thing still refers to the cluster"},
		{"what is left outweighs it", inventory.Inventory{Items: []inventory.Item{but, {Kind: inventory.KindLink, Fate: inventory.Goes}}}, inventory.Dirty, "dirty"},
		{"a reboot does not", inventory.Inventory{Items: []inventory.Item{but, but, {Kind: inventory.KindMount, Fate: inventory.Reboot}}}, inventory.CleanBut, "clean, but 2 things still refer to the cluster"},
		{"a thing of others that does not refer is clean", inventory.Inventory{Items: []inventory.Item{{Kind: inventory.KindFile, Fate: inventory.Stays}}}, inventory.Clean, "clean"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := inventory.Verify(inventory.Inventory{Items: []inventory.Item{but}}, tc.after)
			if diff := cmp.Diff([]any{tc.want, tc.summary, tc.want != inventory.Dirty}, []any{v.State, v.Summary(), v.State.Done()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
