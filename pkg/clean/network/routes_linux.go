// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Protocols of routes that networks use of their own
// (/etc/iproute2/rt_protos; Calico's is in felix/routetable).
const protoCalico = 80

// route is a route, and whose it is.
type route struct {
	netlink.Route
	owner inventory.Owner
	text  string
}

// ownRoutes lists the routes of all tables except those of the kernel's table
// "local" and those on links of ours, which go with their link.
//
// Ours is a route into a pod network through another node of this cluster
// (what flannel's host-gw makes), a blackhole of Calico's for one, and what is in
// a table that Cilium uses, where Cilium is. That a route leads into a pod network is not
// enough: Docker's own network may lie in the same range.
func (t Network) ownRoutes() ([]route, error) {
	links, err := t.All()
	if err != nil {
		return nil, err
	}
	names, ours := map[int]string{}, map[int]bool{}
	for _, l := range links {
		names[l.Attrs().Index], ours[l.Attrs().Index] = l.Name(), l.Owner != inventory.Foreign && l.keep == ""
	}
	all, err := netlinks.Dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	var out []route
	for _, r := range all {
		if r.Table == unix.RT_TABLE_LOCAL || ours[r.LinkIndex] || r.Flags&unix.RTM_F_CLONED != 0 {
			continue
		}
		out = append(out, route{Route: r, owner: t.scoped(r, t.routeOwner(r)), text: routeText(r, names[r.LinkIndex])})
	}
	return out, nil
}

// routeOwner decides about a route on a link that is not ours.
func (t Network) routeOwner(r netlink.Route) inventory.Owner {
	if slices.Contains(ciliumTables(), r.Table) && t.Second(inventory.Cilium, inventory.KindRule, inventory.KindRoute) {
		return inventory.Cilium
	}
	if r.Dst == nil || !contained(r.Dst, t.Facts.PodCIDRs) {
		return inventory.Foreign
	}
	switch {
	case r.Table == tableIPsec && r.Protocol == unix.RTPROT_KERNEL && t.Second(inventory.Cilium, inventory.KindRule, inventory.KindRoute):
		return inventory.Cilium
	case r.Gw != nil && slices.ContainsFunc(t.Facts.NodeIPs, func(ip string) bool { return r.Gw.Equal(net.ParseIP(ip)) }):
		return inventory.Flannel
	case r.Type == unix.RTN_BLACKHOLE && r.Protocol == protoCalico:
		return inventory.Calico
	}
	return inventory.Foreign
}

// scoped is the owner of a route within the scope, foreign if it is not provably in it:
// on a host that stays a node another network may run by now, and a route through another
// node into the pods' addresses looks much the same from each network.
func (t Network) scoped(r netlink.Route, owner inventory.Owner) inventory.Owner {
	if t.Scope.Limited() && owner == inventory.Flannel {
		owner = throughNode(r.Protocol)
		if !t.Second(owner, inventory.KindRoute, inventory.KindRule) || owner == inventory.Flannel && t.another() {
			return inventory.Foreign
		}
	}
	if !t.Scope.Takes(owner) {
		return inventory.Foreign
	}
	return owner
}

// throughNode says which network makes routes through nodes with a protocol: Cilium's
// direct routes have the kernel's (pkg/datapath/linux/linux_defaults, RTProto), those of
// BIRD are Calico's, and flannel's host-gw names none (pkg/backend/route_network.go).
func throughNode(protocol netlink.RouteProtocol) inventory.Owner {
	switch protocol {
	case unix.RTPROT_KERNEL:
		return inventory.Cilium
	case unix.RTPROT_BIRD, protoCalico: // by BIRD, and by Felix
		return inventory.Calico
	case unix.RTPROT_BOOT, unix.RTPROT_UNSPEC:
		return inventory.Flannel
	}
	return inventory.Foreign
}

// another reports whether there are signs of a second network on this host: of one that is
// known, or a configuration that stays and has the standard plugins connect pods, whose
// routes a person or a cloud makes.
func (t Network) another() bool {
	confs, err := cni.Networks{Host: t.Host}.Confs()
	stays := func(d cni.Decision) bool { return d.Fate != inventory.Goes && d.Conf.Connects() }
	if err != nil || slices.ContainsFunc(confs, stays) {
		return true
	}
	others := []inventory.Owner{inventory.Flannel, inventory.Calico, inventory.Cilium, inventory.Antrea, inventory.KubeOVN,
		inventory.KubeRouter, inventory.Weave}
	return slices.ContainsFunc(others, func(o inventory.Owner) bool { return o != t.Scope.Owner && t.Second(o) })
}

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

// routeText is a route as `ip route` prints it, near enough.
func routeText(r netlink.Route, dev string) string {
	s := "default"
	if r.Dst != nil {
		if ones, _ := r.Dst.Mask.Size(); ones > 0 {
			s = r.Dst.String()
		}
	}
	if r.Type != unix.RTN_UNICAST {
		s = fmt.Sprintf("type %d %s", r.Type, s)
		if r.Type == unix.RTN_BLACKHOLE {
			s = "blackhole " + r.Dst.String()
		}
	}
	if r.Gw != nil {
		s += " via " + r.Gw.String()
	}
	for _, hop := range r.MultiPath {
		s += " nexthop via " + hop.Gw.String()
	}
	if dev != "" {
		s += " dev " + dev
	}
	if r.Priority != 0 {
		s += fmt.Sprintf(" metric %d", r.Priority)
	}
	if r.Table != unix.RT_TABLE_MAIN {
		s += fmt.Sprintf(" table %d", r.Table)
	}
	return s
}

// Routes are the pod network's routes and routing rules, and what encrypts on the way.
func (t Network) Routes() part.Part {
	return part.Part{
		ID: "routes", Kind: inventory.KindRoute, Look: t.lookRoutes,
		Take: func(ctx context.Context, report plan.Report) error {
			all, err := t.ownRoutes()
			if err != nil {
				return err
			}
			for _, r := range all {
				if r.owner == inventory.Foreign {
					continue
				}
				if err := netlink.RouteDel(&r.Route); err != nil && !errors.Is(err, unix.ESRCH) {
					return fmt.Errorf("delete route %s: %w", r.text, err)
				}
				report("deleted route %s", r.text)
			}
			return errors.Join(t.takeRules(report), t.takeIPsec(report), part.Left(ctx, t.lookRoutes))
		},
	}
}

func (t Network) lookRoutes(context.Context) (part.Findings, error) {
	var s part.Findings
	all, err := t.ownRoutes()
	s.Missed(inventory.KindRoute, "routes", err)
	for _, r := range all {
		it := inventory.Item{Kind: inventory.KindRoute, Name: r.text, Owner: r.owner, Fate: inventory.Goes}
		if r.owner == inventory.Foreign {
			it.Fate, it.Why = inventory.Stays, "not provably a pod network's"
		}
		s.Add(it)
	}
	rules, err := t.ownRules()
	s.Missed(inventory.KindRule, "routing rules", err)
	for _, r := range rules {
		it := inventory.Item{Kind: inventory.KindRule, Name: r.text, Owner: r.owner, Fate: inventory.Goes}
		if r.owner == inventory.Foreign {
			it.Fate, it.Why = inventory.Stays, "not made by a pod network"
		}
		s.Add(it)
	}
	encryption, err := t.lookIPsec()
	s.Missed(inventory.KindIPsec, "IPsec policies and associations", err)
	s.Add(encryption...)
	return s, nil
}
