// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
)

// Believed are the facts of the cluster as far as this host can believe them.
func (t Network) Believed() inventory.Facts {
	routes, err := netlinks.Dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return cluster.Believable(t.Facts, nil, nil)
	}
	var main, gateways []netip.Addr
	for _, r := range routes {
		if !everything(r.Dst) {
			continue
		}
		if ip, ok := netip.AddrFromSlice(r.Gw); ok {
			gateways = append(gateways, ip.Unmap())
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			continue
		}
		own, _ := netlinks.Addresses(link)
		main = append(main, own...)
	}
	return cluster.Believable(t.Facts, main, gateways)
}
