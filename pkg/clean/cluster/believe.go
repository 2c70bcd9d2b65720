// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// NodeDNSAddress is the address that NodeLocal DNSCache listens at in the
// configuration that everybody copies (kubernetes/kubernetes,
// cluster/addons/dns/nodelocaldns).
func NodeDNSAddress() netip.Addr { return netip.AddrFrom4([4]byte{169, 254, 20, 10}) }

// Believable leaves out what cannot be the cluster's although the cluster says so:
// a node may write its own pod network and addresses into the API, and so make a
// router of this host's, or its whole network, a "pod network". Networks wider
// than /8 (IPv6: /32), those with this host's main addresses or its gateways in
// them, and gateways as nodes prove nothing.
func Believable(f inventory.Facts, main, gateways []netip.Addr) inventory.Facts {
	sane := func(networks []string) []string {
		var out []string
		for _, s := range networks {
			network, err := netip.ParsePrefix(s)
			has := func(ip netip.Addr) bool { return err == nil && network.Contains(ip) }
			switch {
			case err != nil, network.Addr().Is4() && network.Bits() < 8, network.Addr().Is6() && network.Bits() < 32:
			case slices.ContainsFunc(main, has), slices.ContainsFunc(gateways, has):
			default:
				out = append(out, s)
			}
		}
		return out
	}
	f.PodCIDRs, f.ServiceCIDRs = sane(f.PodCIDRs), sane(f.ServiceCIDRs)
	f.NodeIPs = slices.DeleteFunc(slices.Clone(f.NodeIPs), func(s string) bool {
		ip, err := netip.ParseAddr(s)
		return err != nil || slices.Contains(gateways, ip.Unmap())
	})
	return f
}

// InAny reports whether an address is in one of some networks; text that is no
// network has nothing in it.
func InAny(ip netip.Addr, networks []string) bool {
	return slices.ContainsFunc(networks, func(text string) bool {
		network, err := netip.ParsePrefix(text)
		return err == nil && network.Contains(ip)
	})
}
