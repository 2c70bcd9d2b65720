// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
)

// Network is what a host's kernel has of networks: links, routes, programs.
type Network struct {
	part.Host
	// PodNetworks are the numbers that this network namespace has for the pods'; nil if
	// they are not known.
	PodNetworks func() map[int]bool
}

// Believed are the facts of the cluster as far as this host can believe them: nothing of
// them where it cannot tell which addresses and gateways are its own.
func (t Network) Believed() inventory.Facts {
	routes, err := netlinks.Routes()
	var main, gateways []netip.Addr
	for _, hop := range defaultHops(routes) {
		if ip, ok := netip.AddrFromSlice(hop.Via); ok {
			gateways = append(gateways, ip.Unmap())
		}
		if hop.Link == 0 { // one that leads nowhere
			continue
		}
		var link netlink.Link
		var own []netip.Addr
		if link, err = netlink.LinkByIndex(hop.Link); err == nil {
			own, err = netlinks.Addresses(link)
		}
		if err != nil {
			break
		}
		main = append(main, own...)
	}
	if err != nil {
		f := t.Facts
		f.PodCIDRs, f.ServiceCIDRs, f.NodeIPs, f.NodePods = nil, nil, nil, nil
		return f
	}
	return cluster.Believable(t.Facts, main, gateways)
}

// defaultHops are the ways that default routes lead; one with several cards has several
// of them.
func defaultHops(routes []netlinks.Route) []netlinks.Hop {
	var out []netlinks.Hop
	for _, r := range routes {
		if r.Table == unix.RT_TABLE_MAIN && everything(r.Dst) {
			out = append(out, r.Hops...)
		}
	}
	return out
}
