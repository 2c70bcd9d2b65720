// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// isTunnel recognizes the device that the kernel makes by itself for IP in IP and
// that nobody can delete while its module is loaded (net/ipv4/ipip.c). Calico gives
// it an address of the pods' network and sets it up (felix, ipip_mgr.go).
func isTunnel(name, kind string) bool { return name == "tunl0" && kind == "ipip" }

// lent are those addresses of a tunnel that are in the pods' networks.
func (t Target) lent(addrs []netlink.Addr) []netlink.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(a netlink.Addr) bool { return !contained(a.IPNet, t.Facts.PodCIDRs) })
}

// lookTunnel lists the addresses of a tunnel that a removal takes.
func (t Target) lookTunnel(l link, addrs []netlink.Addr) []Item {
	var out []Item
	for _, a := range t.lent(addrs) {
		out = append(out, Item{Kind: KindAddress, Name: a.IPNet.String(), In: l.name(), Owner: Calico, Fate: Goes})
	}
	return out
}

// takeTunnel takes the pods' addresses off a tunnel, and sets it down if it has
// no other: as the kernel made it.
func (t Target) takeTunnel(l netlink.Link, report plan.Report) error {
	name := l.Attrs().Name
	addrs, err := dump(func() ([]netlink.Addr, error) { return netlink.AddrList(l, netlink.FAMILY_ALL) })
	if err != nil {
		return fmt.Errorf("list the addresses of %s: %w", name, err)
	}
	addrs = slices.DeleteFunc(addrs, func(a netlink.Addr) bool { return a.Scope == unix.RT_SCOPE_LINK })
	ours := t.lent(addrs)
	if len(ours) == 0 {
		return nil
	}
	for _, a := range ours {
		if err := netlink.AddrDel(l, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("delete address %s of %s: %w", a.IPNet, name, err)
		}
		report("deleted address %s of %s", a.IPNet, name)
	}
	if len(ours) < len(addrs) {
		return nil
	}
	if err := netlink.LinkSetDown(l); err != nil {
		return fmt.Errorf("set %s down: %w", name, err)
	}
	report("set %s down", name)
	return nil
}
