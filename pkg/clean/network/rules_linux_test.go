// SPDX-License-Identifier: Apache-2.0

package network

import (
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestARuleThatAsksForMoreThanANetworkDoesIsForeign(t *testing.T) {
	proxy := func(r *netlink.Rule) { r.Table, r.Mark, r.Priority = 2004, 0x200, 9 }
	local := func(r *netlink.Rule) { r.Table, r.Priority = unix.RT_TABLE_LOCAL, prioMoved }
	for name, tc := range map[string]struct {
		base, more func(r *netlink.Rule)
		want       inventory.Owner
	}{
		"Cilium's to its proxy":          {proxy, func(*netlink.Rule) {}, inventory.Cilium},
		"Cilium's of one card":           {proxy, func(r *netlink.Rule) { r.IifName = "eth0" }, inventory.Cilium},
		"the kernel's, moved":            {local, func(*netlink.Rule) {}, inventory.Cilium},
		"for a user":                     {local, func(r *netlink.Rule) { r.UIDRange = netlink.NewRuleUIDRange(7, 8) }, inventory.Foreign},
		"for a port":                     {proxy, func(r *netlink.Rule) { r.Dport = netlink.NewRulePortRange(80, 90) }, inventory.Foreign},
		"for a protocol":                 {local, func(r *netlink.Rule) { r.IPProto = unix.IPPROTO_TCP }, inventory.Foreign},
		"for a kind of service":          {proxy, func(r *netlink.Rule) { r.Tos = 0x10 }, inventory.Foreign},
		"for all others":                 {proxy, func(r *netlink.Rule) { r.Invert = true }, inventory.Foreign},
		"that leaves the default out":    {local, func(r *netlink.Rule) { r.SuppressPrefixlen = 0 }, inventory.Foreign},
		"that leaves a group of cards":   {proxy, func(r *netlink.Rule) { r.SuppressIfgroup = 1 }, inventory.Foreign},
		"that leads to another rule":     {proxy, func(r *netlink.Rule) { r.Goto = 500 }, inventory.Foreign},
		"one of the source port of DNS":  {proxy, func(r *netlink.Rule) { r.Sport = netlink.NewRulePortRange(53, 53) }, inventory.Foreign},
		"one of a tunnel of collect_md":  {proxy, func(r *netlink.Rule) { r.TunID = 5 }, inventory.Foreign},
		"that also gives packets a flow": {proxy, func(r *netlink.Rule) { r.Flow = 3 }, inventory.Foreign},
	} {
		r := netlink.NewRule()
		tc.base(r)
		tc.more(r)
		if got := ruleOwner(*r); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}
