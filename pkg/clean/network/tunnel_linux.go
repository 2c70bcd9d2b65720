// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// isTunnel recognizes the device that the kernel makes by itself for IP in IP and
// that cannot be deleted while its module is loaded (net/ipv4/ipip.c). Calico gives
// it an address of the pods' network and sets it up (felix, ipip_mgr.go).
func isTunnel(name, kind string) bool { return name == "tunl0" && kind == "ipip" }

// lent are those addresses of a tunnel that are in the pods' networks.
func (t Network) lent(addrs []netlink.Addr) []netlink.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netlink.Addr) bool {
		return !t.Scope.Takes(inventory.Calico) || !contained(a.IPNet, t.Facts.PodCIDRs)
	})
}

// lookTunnel lists the pods' addresses of a tunnel. They stay where a foreign
// route goes over it: with its last address a link loses its routes.
func (t Network) lookTunnel(l link, addrs []netlink.Addr) ([]inventory.Item, error) {
	used, err := t.leads(l)
	var out []inventory.Item
	for _, a := range t.lent(addrs) {
		it := inventory.Item{Kind: inventory.KindAddress, Name: a.IPNet.String(), In: l.Name(), Owner: inventory.Calico, Fate: inventory.Goes}
		if used {
			it.Fate, it.Why = inventory.Stays, "a route that is no pod network's goes over "+l.Name()
		}
		out = append(out, it)
	}
	return out, err
}

// takeTunnel takes the pods' addresses off a tunnel, and sets it down if no
// other address or route uses it: as the kernel made it.
func (t Network) takeTunnel(l netlink.Link, report plan.Report) error {
	name := l.Attrs().Name
	used, err := t.leads(l)
	if err != nil || used {
		return err
	}
	addrs, err := netlinks.Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(l, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list the addresses of %s: %w", name, err)
	}
	addrs = slices.DeleteFunc(addrs, func(a netlink.Addr) bool { return a.Scope == unix.RT_SCOPE_LINK })
	ours := t.lent(addrs)
	for _, a := range ours {
		if err := netlink.AddrDel(l, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("delete address %s of %s: %w", a.IPNet, name, err)
		}
		report("deleted address %s of %s", a.IPNet, name)
	}
	if len(ours) == 0 || len(ours) < len(addrs) {
		return nil
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("set %s down: %w", name, err)
	}
	report("set %s down", name)
	return nil
}

// leads reports whether a foreign route goes over a link; those that
// the kernel makes of addresses are not meant.
func (t Network) leads(l netlink.Link) (bool, error) {
	all, err := t.ownRoutes()
	return slices.ContainsFunc(all, func(r route) bool {
		return r.Over(l.Attrs().Index) && r.owner == inventory.Foreign && r.Protocol != unix.RTPROT_KERNEL
	}), err
}
