// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
)

// Protocols of routes that networks use of their own
// (/etc/iproute2/rt_protos; Calico's is in felix/routetable).
const protoCalico = 80

// routeCase is what else there is to decide whose a route is.
type routeCase struct {
	facts inventory.Facts
	// has reports whether a network has a sign on this host besides routes and rules.
	has func(inventory.Owner) bool
	// ours are the links that go.
	ours map[int]bool
}

// over reports whether a route leads over links that go, and nowhere else: it goes with
// them.
func (c routeCase) over(r netlinks.Route) bool {
	return len(r.Hops) > 0 && !slices.ContainsFunc(r.Hops, func(h netlinks.Hop) bool { return !c.ours[h.Link] })
}

// decideRoute says whose a route is, and how one that stays leads to the cluster.
//
// Ours is a route into the pod network of another node of this cluster through that node
// (what flannel's host-gw makes; a node may claim a router's address, and then each route
// through it would be one), or a network's own by its protocol, where it is; a blackhole of Calico's for one, and what is in
// a table that Cilium or kube-router uses, where it is. BIRD's into a pod network are
// Calico's where Calico is, whatever they lead through. That a route leads into a pod
// network is not enough: Docker's own network may lie in the same range. Of several ways
// each has to be the cluster's, through a node or over a link that goes; a route with
// another among them stays. What stays and leads into the cluster is named.
func decideRoute(r netlinks.Route, c routeCase) (owner inventory.Owner, refers string) {
	if owner := ofTable(r.Table); owner != inventory.Foreign && c.has(owner) {
		return owner, ""
	}
	if !contained(r.Dst, c.facts.PodCIDRs) {
		return inventory.Foreign, c.leads(r)
	}
	theirs := c.theirs(r)
	switch {
	case r.Table == tableIPsec && r.Protocol == unix.RTPROT_KERNEL && c.has(inventory.Cilium):
		return inventory.Cilium, ""
	case r.Type == unix.RTN_BLACKHOLE && r.Protocol == protoCalico, r.Protocol == unix.RTPROT_BIRD && c.has(inventory.Calico):
		return inventory.Calico, ""
	case len(theirs) == 0:
		return inventory.Foreign, c.leads(r)
	case len(theirs) == len(r.Hops) && (c.given(r) || c.made(r)):
		return inventory.Flannel, ""
	case len(theirs) == len(r.Hops):
		return inventory.Foreign, "it leads into the cluster's pod network " + theirs[0] + ", and is not that node's"
	}
	return inventory.Foreign, fmt.Sprintf("%d of its %d ways into the cluster's pod network leads %s", len(theirs), len(r.Hops), theirs[0])
}

// made reports whether a route through nodes has the protocol of a network other than
// flannel, which has none of its own, and that is here.
func (c routeCase) made(r netlinks.Route) bool {
	owner := throughNode(r.Protocol)
	return owner != inventory.Flannel && c.has(owner)
}

// ofTable is the network that alone uses a table.
func ofTable(table int) inventory.Owner {
	switch {
	case slices.Contains(ciliumTables(), table):
		return inventory.Cilium
	case ofKubeRouter(table):
		return inventory.KubeRouter
	case ofSubmariner(table):
		return inventory.Submariner
	case table == tableKilo:
		return inventory.Kilo
	}
	return inventory.Foreign
}

// ofSubmariner reports whether a table is one that Submariner uses, for what the host itself
// sends to another cluster and for what comes from there (pkg/routeagent_driver/constants).
func ofSubmariner(table int) bool { return table == 149 || table == 150 }

// tableKilo is the one in which Kilo has what it encapsulates (pkg/mesh/routes.go).
const tableKilo = 1107

// kilos reports whether a route that stays is such as Kilo makes to addresses of its own, and of
// nodes, behind the node that leads there (the same file): a person may make one, too.
func (c routeCase) kilos(r netlinks.Route) bool {
	ones, bits := r.Dst.Mask.Size()
	return r.Protocol == unix.RTPROT_STATIC && r.Flags&unix.RTNH_F_ONLINK != 0 && ones == bits && len(c.theirs(r)) == max(len(r.Hops), 1) &&
		c.has(inventory.Kilo)
}

// theirs are the ways of a route that are the cluster's.
func (c routeCase) theirs(r netlinks.Route) (out []string) {
	for _, h := range r.Hops {
		switch {
		case h.Via != nil && slices.ContainsFunc(c.facts.NodeIPs, func(ip string) bool { return h.Via.Equal(net.ParseIP(ip)) }):
			out = append(out, "through the node "+h.Via.String())
		case c.ours[h.Link]:
			out = append(out, "over a link of the pod network's")
		}
	}
	return out
}

// given reports whether a route leads into a pod network that the cluster has given to each
// of the nodes that it leads through.
func (c routeCase) given(r netlinks.Route) bool {
	return !slices.ContainsFunc(r.Hops, func(h netlinks.Hop) bool {
		return h.Via != nil && !slices.Contains(c.facts.NodePods, h.Via.String()+" "+r.Dst.String())
	})
}

// leads says how a route of a routing daemon's that stays leads into the cluster; empty if
// it does not. What a person or the boot has made is the host's own, and the kernel's come
// with the addresses of a link, which are looked at by themselves.
func (c routeCase) leads(r netlinks.Route) string {
	announced := func(address string) bool { return r.Dst.IP.Equal(net.ParseIP(address)) }
	ones, bits := r.Dst.Mask.Size()
	switch {
	case c.kilos(r):
		return "it leads " + c.theirs(r)[0] + ", as Kilo has them lead to other nodes"
	case slices.Contains([]netlink.RouteProtocol{unix.RTPROT_KERNEL, unix.RTPROT_BOOT, unix.RTPROT_STATIC, unix.RTPROT_UNSPEC,
		unix.RTPROT_REDIRECT, unix.RTPROT_RA, unix.RTPROT_DHCP}, r.Protocol):
	case contained(r.Dst, c.facts.PodCIDRs):
		return "it leads into the cluster's pod network"
	case contained(r.Dst, c.facts.ServiceCIDRs):
		return "it leads into the cluster's Service network"
	case ones == bits && slices.ContainsFunc(c.facts.Announced, announced):
		return "it leads to " + r.Dst.IP.String() + ", an address of a load balancer of the cluster's"
	}
	return ""
}

// ofKubeRouter reports whether a table is one that kube-router uses, for its policies,
// external addresses and direct server return (pkg/controllers, 2.x).
func ofKubeRouter(table int) bool { return table >= 77 && table <= 79 }

// contained reports whether a network lies in one of some others, none of
// which may be everything.
func contained(dst *net.IPNet, cidrs []string) bool {
	ones, bits := dst.Mask.Size()
	for _, cidr := range cidrs {
		_, outer, err := net.ParseCIDR(cidr)
		if err != nil {
			continue
		}
		most, width := outer.Mask.Size()
		if width == bits && most > 0 && ones >= most && outer.Contains(dst.IP) {
			return true
		}
	}
	return false
}

// routeText is a route as `ip route` prints it, near enough; names are those of links.
func routeText(r netlinks.Route, names map[int]string) string {
	s := "default"
	if !everything(r.Dst) {
		s = r.Dst.String()
	}
	if r.Type != unix.RTN_UNICAST {
		s = fmt.Sprintf("type %d %s", r.Type, s)
		if r.Type == unix.RTN_BLACKHOLE {
			s = "blackhole " + r.Dst.String()
		}
	}
	if r.Object != 0 {
		s += fmt.Sprintf(" nhid %d", r.Object)
	}
	for _, h := range r.Hops {
		var words []string
		if len(r.Hops) > 1 {
			words = append(words, "nexthop")
		}
		if h.Via != nil {
			words = append(words, "via "+h.Via.String())
		}
		if dev := names[h.Link]; dev != "" {
			words = append(words, "dev "+dev)
		}
		s += " " + strings.Join(words, " ")
	}
	if r.Priority != 0 {
		s += fmt.Sprintf(" metric %d", r.Priority)
	}
	if r.Table != unix.RT_TABLE_MAIN {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	return s
}
