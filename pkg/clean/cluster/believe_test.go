// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestFactsThatCannotBe(t *testing.T) {
	main, gateways := []netip.Addr{netip.MustParseAddr("192.168.1.10")}, []netip.Addr{netip.MustParseAddr("192.168.1.1"),
		netip.MustParseAddr("2001:db8::1")}
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
			got := Believable(f, main, gateways)
			if n := len(got.PodCIDRs) + len(got.ServiceCIDRs) + len(got.NodeIPs); (n > 0) != tc.believed {
				t.Errorf("got %+v", got)
			}
		})
	}
}
