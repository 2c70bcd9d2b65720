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
		c := virtualCase{facts: tc.facts, bound: bound, local: []netip.Addr{netip.MustParseAddr("172.17.0.1"),
			netip.MustParseAddr("192.0.2.10")}}
		ours := c.kubeProxys(all)
		var got []string
		for _, v := range ours {
			got = append(got, v.String())
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		for _, it := range c.items(all, ours) {
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

// Node ports may be any, and a Node says itself which addresses it has.
func TestANodePortIsToldByWhereItLeadsAndByTheHostsOwnAddress(t *testing.T) {
	const services = "TCP  0A600001:01BB rr\n  -> C000020B:192B      Masq    1      3          0\n" + // the API server's
		"TCP  0A600002:0050 rr\n  -> 0AF40105:1F90      Masq    1      0          0\n  -> 0AF40206:1F90      Masq    1      0          0\n"
	const pod, otherPod, api, elsewhere = "  -> 0AF40105:1F90 Masq 1 0 0\n", "  -> 0AF40909:1F90 Masq 1 0 0\n",
		"  -> C000020B:192B Masq 1 0 0\n",
		"  -> CB007160:0050 Masq 1 0 0\n"
	const goes, stays = "goes", ""
	const may = "it may be that of a node port: it takes a port of this Node's address, and nothing shows who has made it"
	for what, tc := range map[string]struct{ text, want string }{
		"a usual port that leads where a service does":          {"TCP  C000020A:7531 rr\n" + pod, goes},
		"a usual port without a server":                         {"TCP  C000020A:7531 rr\n", goes},
		"a usual port that leads to nodes where a service does": {"TCP  C000020A:7531 rr\n" + api, goes},
		"a usual port that leads out of the cluster":            {"TCP  C000020A:7531 rr\n" + elsewhere, may},
		"a usual port that leads to a pod and out": {"TCP  C000020A:7531 rr\n" + pod + elsewhere,
			"its server 10.244.1.5:8080 is in the cluster's pod network"},
		"another port that leads where a service does": {"TCP  C000020A:01BB rr\n" + pod, goes},
		"another port and protocol": {"UDP  C000020A:01BB rr\n" + pod,
			"its server 10.244.1.5:8080 is in the cluster's pod network"},
		"another port that leads to a pod which no service has": {"TCP  C000020A:01BB rr\n" + otherPod,
			"its server 10.244.9.9:8080 is in the cluster's pod network"},
		"another port that balances the API servers": {"TCP  C000020A:20FB rr\n" + api,
			"its server 192.0.2.11:6443 is at the address of a node of the cluster"},
		"another port without a server":                {"TCP  C000020A:01BB rr\n", may},
		"another port that leads out of the cluster":   {"TCP  C000020A:01BB rr\n" + elsewhere, stays},
		"at an address that only the Node says it has": {"TCP  CB007109:7531 rr\n", stays},
		"at that address, to a pod": {"TCP  CB007109:7531 rr\n" + pod,
			"its server 10.244.1.5:8080 is in the cluster's pod network"},
		"at another address of the host, with one at the Node's": {"TCP  AC110001:01BB rr\n" + pod + "TCP  C000020A:01BB rr\n" + pod, goes},
		"at another address of the host alone": {"TCP  AC110001:01BB rr\n" + pod,
			"its server 10.244.1.5:8080 is in the cluster's pod network"},
	} {
		all, err := parseIPVS(services + tc.text)
		if err != nil {
			t.Fatal(err)
		}
		c := virtualCase{facts: inventory.Facts{ServiceCIDRs: []string{"10.96.0.0/12"}, PodCIDRs: []string{"10.244.0.0/16"},
			NodeIPs: []string{"192.0.2.10", "192.0.2.11", "203.0.113.9"}},
			local: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("172.17.0.1")}}
		for _, it := range c.items(all, c.kubeProxys(all))[2:] {
			got := it.Refers
			if it.Fate == inventory.Goes {
				got = goes
			}
			if got != tc.want {
				t.Errorf("%s: %s: %q, want %q", what, it.Name, got, tc.want)
			}
		}
		c.limited = true
		for _, it := range c.items(all, nil) {
			if it.Refers != "" {
				t.Errorf("%s: on a host that stays a node %s", what, it.Refers)
			}
		}
	}
}
