// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestVirtualServicesOfTheClusterAreToldFromOthers(t *testing.T) {
	const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr
  -> C0A80005:192B      Masq    1      3          0
UDP  [fd00:0010:0096:0000:0000:0000:0000:000a]:0035 rr
TCP  C000020A:7531 rr
TCP  C000020A:0050 wlc persistent 50
TCP  AC110001:7531 rr
UDP  AC110001:7531 rr
TCP  AC110001:7532 rr
TCP  CB007105:7531 rr
TCP  C6336407:0050 rr
FWM  00000001 rr
`
	all, err := parseIPVS(text)
	if err != nil {
		t.Fatal(err)
	}
	const name = "tcp 192.0.2.10:30001"
	cidrs := []string{"10.96.0.0/12", "fd00:10:96::/112"}
	node := []string{"192.0.2.10"}
	for what, tc := range map[string]struct {
		facts inventory.Facts
		bound string
		want  []string
	}{
		"in the service networks, and the node's port": {inventory.Facts{ServiceCIDRs: cidrs, NodeIPs: node}, "",
			[]string{"tcp 172.17.0.1:30001", name, "tcp 10.96.0.1:443", "udp [fd00:10:96::a]:53"}},
		"a node port at an address that is not a node's": {inventory.Facts{ServiceCIDRs: cidrs}, "",
			[]string{"tcp 10.96.0.1:443", "udp [fd00:10:96::a]:53"}},
		"at an address of kube-proxy's link":       {inventory.Facts{}, "198.51.100.7", []string{"tcp 198.51.100.7:80"}},
		"kube-proxy's link without such a service": {inventory.Facts{NodeIPs: node}, "10.1.1.1", []string{"tcp 172.17.0.1:30001", name}},
		"what kube-proxy leaves alone": {
			inventory.Facts{ServiceCIDRs: cidrs, NodeIPs: node, IPVSExclude: []string{"172.17.0.0/24", "198.51.100.7/32", "none"}}, "198.51.100.7",
			[]string{name, "tcp 10.96.0.1:443", "udp [fd00:10:96::a]:53"},
		},
		"without facts":            {inventory.Facts{}, "", nil},
		"the node's address alone": {inventory.Facts{NodeIPs: node}, "", nil},
	} {
		var bound []netip.Addr
		if tc.bound != "" {
			bound = append(bound, netip.MustParseAddr(tc.bound))
		}
		ours := kubeProxys(all, tc.facts, bound, []netip.Addr{netip.MustParseAddr("172.17.0.1")})
		var got []string
		for _, v := range ours {
			got = append(got, v.String())
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		for _, it := range ipvsItems(all, ours) {
			if goes := slices.Contains(got, it.Name); goes != (it.Fate == inventory.Goes && it.Owner == inventory.KubeProxy) ||
				goes == (it.Fate == inventory.Stays && it.Owner == inventory.Foreign) {
				t.Errorf("%s: %+v", what, it)
			}
		}
	}
	for _, broken := range []string{"TCP  nonsense rr", "TCP  0A600001 rr", "TCP  0A60:01BB rr", "UDP  [zz]:0035 rr"} {
		if got, err := parseIPVS(broken); err == nil {
			t.Errorf("%q: %v", broken, got)
		}
	}
	if got, err := parseIPVS(""); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
