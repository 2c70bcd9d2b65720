// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

func TestOnlyTheKernelsTunnelIsOne(t *testing.T) {
	for _, tc := range []struct {
		name, kind string
		want       bool
	}{{"tunl0", "ipip", true}, {"tunl0", "dummy", false}, {"tunl1", "ipip", false}, {"gre0", "gre", false}} {
		if isTunnel(tc.name, tc.kind) != tc.want {
			t.Errorf("%s of kind %s: want %v", tc.name, tc.kind, tc.want)
		}
	}
}

// A bridge takes the tunnel's place, since not every kernel has one.
func TestATunnelGivesThePodsAddressesBack(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		target := Network{Host: part.Host{Facts: inventory.Facts{PodCIDRs: []string{"10.244.0.0/16", "fd00:10:244::/56"},
			NodeIPs: []string{"198.51.100.2"}, NodePods: []string{"198.51.100.2 10.244.2.0/24"}}}}
		for _, tc := range []struct{ name, addrs, routes, left string }{
			{"Calico's only", "10.244.1.1/32 fd00:10:244::1/128", "10.244.2.0/24 via 198.51.100.2", ""},
			{"one of somebody's, too", "10.244.1.1/32 192.0.2.1/24", "", "192.0.2.1/24 UP"},
			{"somebody's only", "192.0.2.1/24", "", "192.0.2.1/24 UP"},
			{"one of a network that is wider than the pods'", "10.244.0.1/12", "", "10.244.0.1/12 UP"},
			{"a route of somebody's", "10.244.1.1/32", "203.0.113.0/24 via 198.51.100.2", "10.244.1.1/32 UP"},
		} {
			hosttest.Script(t, "ip link add tun type bridge; for a in "+tc.addrs+"; do ip addr add $a dev tun nodad; done; ip link set tun up; "+
				"[ -z '"+tc.routes+"' ] || ip route add "+tc.routes+" dev tun onlink")
			l, err := netlink.LinkByName("tun")
			hosttest.Must(t, err)
			for range 2 { // again, there is nothing left to do
				hosttest.Must(t, target.takeTunnel(l, func(string, ...any) {}))
			}
			got := hosttest.Script(t, `ip -o addr show dev tun scope global | awk '{print $4}'
ip -o link show dev tun | sed -n 's/.*[<,]UP[,>].*/UP/p'; ip link del tun`)
			if got := strings.Join(strings.Fields(got), " "); got != tc.left {
				t.Errorf("%s: left %q, want %q", tc.name, got, tc.left)
			}
		}
	})
}
