// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// route is a route, and whose it is.
type route struct {
	netlinks.Route
	owner inventory.Owner
	text  string
	// refers says how one that stays leads to the cluster.
	refers string
}

// routeCase is what there is to decide whose routes are, beside some links.
func (t Network) routeCase(links []link) routeCase {
	c := routeCase{facts: t.Facts, ours: map[int]bool{}}
	c.has = func(owner inventory.Owner) bool { return t.Second(owner, inventory.KindRule, inventory.KindRoute) }
	for _, l := range links {
		c.ours[l.Attrs().Index] = l.Owner != inventory.Foreign && l.keep == ""
	}
	return c
}

// ownRoutes lists the routes of all tables except those of the kernel's table
// "local" and those on links of ours alone, which go with these.
func (t Network) ownRoutes() ([]route, error) {
	links, err := t.All()
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Name()
	}
	all, err := netlinks.Routes()
	if err != nil {
		return nil, err
	}
	c := t.routeCase(links)
	var out []route
	for _, r := range all {
		if r.Table == unix.RT_TABLE_LOCAL || c.over(r) || r.Flags&unix.RTM_F_CLONED != 0 {
			continue
		}
		owner, refers := decideRoute(r, c)
		if t.Scope.Limited() { // on a node all of the cluster's own refers to it
			refers = ""
		}
		out = append(out, route{Route: r, owner: t.scoped(r, owner), text: routeText(r, names), refers: refers})
	}
	return out, nil
}

// scoped is the owner of a route within the scope, foreign if it is not provably in it:
// on a host that stays a node another network may run by now, and a route through another
// node into the pods' addresses looks much the same from each network.
func (t Network) scoped(r netlinks.Route, owner inventory.Owner) inventory.Owner {
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
	return slices.ContainsFunc(networks.Known(), func(n networks.Network) bool {
		owner := inventory.Owner(n.Name)
		return owner != t.Scope.Owner && t.Second(owner)
	})
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
				if err := r.Delete(); err != nil {
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
			it.Fate, it.Why, it.Refers = inventory.Stays, "not provably a pod network's", r.refers
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
