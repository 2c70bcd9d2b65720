// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// decided is whose a name is with another sign of its network, and without one.
type decided struct{ with, without, perhaps inventory.Owner }

func TestWhoseANameIs(t *testing.T) {
	const none = inventory.Foreign
	own := func(o inventory.Owner) decided { return decided{o, o, none} }
	claimed := func(o inventory.Owner) decided { return decided{o, none, o} }
	alike := func(o inventory.Owner) decided { return decided{none, none, o} }
	for what, tc := range map[string]struct {
		names Names
		want  map[string]decided
	}{
		"a chain": {Chains(), map[string]decided{
			"cali-from-wl-dispatch": own(inventory.Calico), "cali-from-wl-dispatch-7": own(inventory.Calico),
			"cali-rpf-skip":                own(inventory.Calico),
			"cali-set-endpoint-mark-wep-3": own(inventory.Calico), "cali-tw-cali0123456789a": own(inventory.Calico),
			"cali-fw-eni0123456789a": own(inventory.Calico), "cali-pi-_7oSjTgHCAUFiFhZZ0JuI": own(inventory.Calico),
			"cali-pri-kns.kube-system": own(inventory.Calico), "cali-pro-ksa.default.default": own(inventory.Calico),
			"cali-vpn": claimed(inventory.Calico), "cali-fw-office": claimed(inventory.Calico), "cali-th-eth0": claimed(inventory.Calico),
			"cali-po-default.deny-all": claimed(inventory.Calico), "felix-INPUT": claimed(inventory.Calico),
			"califw-tap1":                  claimed(inventory.Calico),
			"KUBE-POD-FW-2VLSJHRZPQXZJEHY": own(inventory.KubeRouter), "KUBE-NWPLCY-TAIL": own(inventory.KubeRouter),
			"KUBE-ROUTER-SERVICES": own(inventory.KubeRouter), "KUBE-POD-FW-OFFICE": claimed(inventory.KubeRouter),
			"KUBE-NWPLCY-0000000000000000": claimed(inventory.KubeRouter), "KUBE-ROUTER-MINE": alike(inventory.KubeRouter),
			"CILIUM_PRE_raw": own(inventory.Cilium), "OLD_CILIUM_OUTPUT_raw": own(inventory.Cilium), "CILIUM_POST": own(inventory.Cilium),
			"CILIUM_MINE": alike(inventory.Cilium), "CILIUM_FORWARD_2": alike(inventory.Cilium),
			"ANTREA-POL-12619C0214FB0845": own(inventory.Antrea), "ANTREA-NODE-PORT-LOCAL": own(inventory.Antrea),
			"ANTREA-POL-PRE-EGRESS-RULES": own(inventory.Antrea), "ANTREA-X": alike(inventory.Antrea), "ANTREA-POL-SSH": alike(inventory.Antrea),
			"OVN-NAT-PSUBNET-0123456789ab": own(inventory.KubeOVN), "OVN-MASQUERADE": own(inventory.KubeOVN),
			"OVN-ALLOW":            alike(inventory.KubeOVN),
			"OVN-POSTROUTING-MINE": alike(inventory.KubeOVN), "OVN-KUBE-NODEPORT": own(inventory.PodNetwork),
			"OVN-KUBE-MINE": alike(inventory.PodNetwork),
			"WEAVE":         own(inventory.Weave), "WEAVE-NPC-EGRESS-CUSTOM": own(inventory.Weave), "WEAVE-IPSEC-OUT-MARK": own(inventory.Weave),
			"KILO-NAT": own(inventory.Kilo), "KILO-IPIP": own(inventory.Kilo), "KILO-OFFICE": alike(inventory.Kilo), "KILOS": alike(none),
			"WEAVE-OFFICE": alike(inventory.Weave), "WEAVER": alike(none), "FLANNEL-MINE": alike(inventory.Flannel),
			"KUBE-SEP-2VLSJHRZPQXZJEHY": own(inventory.KubeProxy), "KUBE-SEP-A": alike(inventory.Kubelet),
			"KUBE-HOSTPORTS": own(inventory.Runtime), "KUBE-HP-WLTFZLTJ4QV7FRX3": own(inventory.Runtime),
			"KUBE-HP-MINE": alike(inventory.Kubelet), "CRIO-MASQ-WLTFZLTJ4QV7FRX3": own(inventory.Runtime),
			"CRIO-HOSTPORTS-MASQ": own(inventory.Runtime), "CRIO-MINE": alike(inventory.Runtime), "ISTIO_OUTPUT": alike(inventory.Istio),
			"DOCKER-USER": alike(none),
		}},
		"an ip set": {Sets(), map[string]decided{
			"cali40all-hosts-net": own(inventory.Calico), "cali40s:qMt7iLlGDhvLnCjM0l9nzxb": own(inventory.Calico),
			"cali6t3":               own(inventory.Calico),
			"felix-masq-ipam-pools": own(inventory.Calico), "cali40mine": claimed(inventory.Calico), "felix-4-office": claimed(inventory.Calico),
			"felix-office": alike(inventory.Calico), "california": alike(none),
			"kube-router-svip-prt": own(inventory.KubeRouter), "inet6:kube-router-node-ips": own(inventory.KubeRouter),
			"KUBE-DST-3YNVZWWGX3UQQ4VQ": own(inventory.KubeRouter), "KUBE-SRC-MINE": claimed(inventory.KubeRouter),
			"kube-router-x":  alike(inventory.KubeRouter),
			"ANTREA-POD-IP6": own(inventory.Antrea), "ANTREA-POL-12619C0214FB0845-4": own(inventory.Antrea),
			"ANTREA-BLOCKED":              alike(inventory.Antrea),
			"ovn40subnets-distributed-gw": own(inventory.KubeOVN), "ovn60natpr-0123456789ab-src": own(inventory.KubeOVN),
			"ovn40allow": claimed(inventory.KubeOVN), "ovn-allow": alike(none),
			"weave-;rGqyMIl1HN^cfDki~Z$3]6!N": own(inventory.Weave), "weave-local-pods": own(inventory.Weave),
			"weave-allow":                   claimed(inventory.Weave),
			"weave-office-vpn-allow-list-1": claimed(inventory.Weave), "cilium_node_set_v4": own(inventory.Cilium),
			"cilium_mine":                     alike(inventory.Cilium),
			"KUBE-6-LOAD-BALANCER-SOURCE-CID": own(inventory.KubeProxy), "KUBE-NODE-PORT-LOCAL-SCTP-HASH": own(inventory.KubeProxy),
			"KUBE-LOAD-BALANCER-OFFICE": alike(none), "KUBE-NODE-PORT-MINE": alike(none),
		}},
		"a BPF pin": {Pins(), map[string]decided{
			"cilium": own(inventory.Cilium), "calico": own(inventory.Calico), "tc/globals/cilium_call_policy": claimed(inventory.Cilium),
			"tc/globals/cali_v4_ct3": claimed(inventory.Calico), "calico_mine": claimed(inventory.Calico), "cilium-mine": alike(none),
		}},
	} {
		for name, want := range tc.want {
			t.Run(what+" called "+name, func(t *testing.T) {
				other := func(owner inventory.Owner, besides ...inventory.Kind) bool {
					return owner != inventory.Foreign && slices.Equal(besides, []inventory.Kind{tc.names.kind})
				}
				var got decided
				got.with, _ = tc.names.Decide(name, other)
				got.without, got.perhaps = tc.names.Decide(name, nil)
				if got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

func TestANameOutsideOfAScopeIsForeign(t *testing.T) {
	names := Chains().within(inventory.Scope{Owner: inventory.Cilium})
	for name, want := range map[string]decided{
		"CILIUM_INPUT": {without: inventory.Cilium, perhaps: inventory.Foreign},
		"CILIUM_MINE":  {without: inventory.Foreign, perhaps: inventory.Cilium},
		"cali-INPUT":   {without: inventory.Foreign, perhaps: inventory.Foreign},
		"cali-vpn":     {without: inventory.Foreign, perhaps: inventory.Foreign},
	} {
		if owner, perhaps := names.Decide(name, nil); owner != want.without || perhaps != want.perhaps {
			t.Errorf("%s: %s, perhaps %s", name, owner, perhaps)
		}
	}
}

// A name in the kernel is a network's only where a file shows that the cluster had it.
func TestANetworkNeedsAGround(t *testing.T) {
	for name, tc := range map[string]struct {
		signs []inventory.Kind
		owner inventory.Owner
		want  bool
	}{
		"names alone":                 {[]inventory.Kind{inventory.KindChain, inventory.KindLink, inventory.KindIPSet}, inventory.Calico, false},
		"a file":                      {[]inventory.Kind{inventory.KindFile}, inventory.Calico, true},
		"nothing, and no pod network": {nil, inventory.KubeProxy, true},
		"nothing, of the plugins":     {nil, inventory.CNIPlugins, true},
		"nothing":                     {nil, inventory.Weave, false},
	} {
		m := Marks{}
		for _, kind := range tc.signs {
			m.Add(tc.owner, kind)
		}
		if got := m.Grounded(tc.owner); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	not := func(inventory.Owner, ...inventory.Kind) bool { return false }
	if owner, perhaps := Chains().Decide("cali-INPUT", not); owner != inventory.Foreign || perhaps != inventory.Calico {
		t.Errorf("a chain: %s, %s", owner, perhaps)
	}
	if owner, perhaps := FilterSigns(false, not).Table("ip calico"); owner != inventory.Foreign || perhaps != inventory.Calico {
		t.Errorf("a table: %s, %s", owner, perhaps)
	}
	if owner, _ := Chains().Decide("KUBE-SERVICES", not); owner != inventory.KubeProxy {
		t.Errorf("kube-proxy's: %s", owner)
	}
}
