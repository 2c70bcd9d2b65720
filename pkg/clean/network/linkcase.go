// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
)

// linkView is what a link shows of itself.
type linkView struct {
	name, kind string
	// vni is the number of a VXLAN's network.
	vni int
	// addrs are its addresses.
	addrs []netip.Prefix
}

// linkCase is what else there is to decide whose a link is.
type linkCase struct {
	facts inventory.Facts
	// second says that its owner has a sign of another kind on this host.
	second bool
	// dns are the addresses at which pods find the cluster's DNS.
	dns []string
	// claimed says that a configuration which stays names it as its bridge.
	claimed bool
	// limited says that this host stays a node: such a configuration may be its network.
	limited bool
}

// decideLink says whose a link is that has the name and kind of a network's: ours
// with a second sign, which may be an address of the cluster's; else the owner
// only perhaps, and it stays.
func decideLink(l linkView, c linkCase) (owner, perhaps inventory.Owner) {
	candidate := ownership.Link(l.name, l.kind)
	if candidate == inventory.Foreign {
		return inventory.Foreign, inventory.Foreign
	}
	// flannel puts the number of the network into the name (pkg/backend/vxlan).
	if number, is := strings.CutPrefix(l.name, "flannel."); is && l.kind == "vxlan" && number != strconv.Itoa(l.vni) {
		return inventory.Foreign, inventory.Foreign
	}
	within := func(networks []string) bool {
		return slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool { return cluster.InAny(a.Addr(), networks) })
	}
	theirs := slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool { return !cluster.InAny(a.Addr(), c.facts.PodCIDRs) })
	switch {
	case c.claimed && (c.limited || theirs || len(l.addrs) == 0):
		return inventory.Foreign, inventory.Foreign
	case within(c.facts.PodCIDRs), within(c.facts.ServiceCIDRs), c.second:
		return candidate, inventory.Foreign
	case candidate == inventory.NodeDNS && slices.ContainsFunc(l.addrs, func(a netip.Prefix) bool {
		return a.Addr() == cluster.NodeDNSAddress() || slices.Contains(c.dns, a.Addr().String())
	}):
		return candidate, inventory.Foreign
	}
	return inventory.Foreign, candidate
}

// portView is what the host's end of a pair shows of itself, which is a port of a bridge.
type portView struct {
	name string
	// peer is the number that this network namespace has for the one with the other end;
	// negative where that is here, too.
	peer int
}

// ofPod reports whether a port of a pod network's bridge is a pod's: its other end is in a
// pod's network namespace; or in one that nothing holds any more, and it is called as the
// plugin calls a pod's (plugins/pkg/ip, RandomVethName). A person may put a container of
// their own on that bridge.
func ofPod(p portView, pods map[int]bool, held func() map[int]bool) bool {
	random, named := strings.CutPrefix(p.name, "veth")
	named = named && len(random) == 8 && strings.Trim(random, "0123456789abcdef") == ""
	return p.peer >= 0 && (pods[p.peer] || named && !held()[p.peer])
}
