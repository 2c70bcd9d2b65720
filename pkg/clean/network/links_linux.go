// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// link is a network link, and whose it is.
type link struct {
	netlink.Link
	Owner inventory.Owner
	// perhaps is the network that it is named after, where nothing else shows that
	// it is that network's.
	perhaps inventory.Owner
	// master is the name of its bridge.
	master string
	// keep says why a link of ours stays; empty if it goes.
	keep string
	// held says that it stays for what is not ours, and not for the scope.
	held bool
}

func (l link) Name() string { return l.Attrs().Name }

// All lists all links, in the kernel's order, with their owners: by name
// and kind and a second sign; pods' ports of our bridges by their bridge. A bridge of
// ours with a port that is not ours stays, since someone uses it, and so does a link of
// ours that one which is not ours is on: the kernel would delete that with it.
func (t Network) All() ([]link, error) {
	shown, all, err := views()
	if err != nil {
		return nil, err
	}
	out := make([]link, 0, len(all))
	index := map[int]int{}
	for _, l := range all {
		index[l.Attrs().Index] = len(out)
		owner, perhaps := t.decideOwner(shown[l.Attrs().Index])
		out = append(out, link{Link: l, Owner: owner, perhaps: perhaps})
	}
	holdByLinks(out, index, t.ofPod())
	if err := t.holdByRoutes(out, index); err != nil {
		return nil, err
	}
	for i := range out {
		limit := out[i].Owner == inventory.CNIPlugins && out[i].Type() == "ifb" // of a pod that may be of another network
		if out[i].Owner != inventory.Foreign && (!t.Scope.TakesLink(out[i].Owner) || limit && t.Scope.Limited()) {
			out[i].keep, out[i].held = t.Scope.Why(), false
		}
	}
	return out, nil
}

// holdByLinks gives the pods' ports of our bridges to their owner, and keeps the links that
// foreign ones need: a bridge with a foreign port, and what a foreign link is on.
func holdByLinks(all []link, index map[int]int, ofPod func(link) bool) {
	for i := range all {
		at, enslaved := index[all[i].Attrs().MasterIndex]
		if !enslaved || all[i].Attrs().MasterIndex == 0 {
			continue
		}
		all[i].master = all[at].Name()
		switch {
		case all[at].Owner == inventory.Foreign || all[at].Type() != "bridge":
		case all[i].Owner == inventory.Foreign && all[i].Type() == "veth" && ofPod(all[i]):
			all[i].Owner = all[at].Owner
		case all[i].Owner == inventory.Foreign:
			all[at].keep, all[at].held = "its port "+all[i].Name()+" is not ours", true
		}
	}
	for _, l := range all {
		if at, is := index[l.below()]; is && l.Owner == inventory.Foreign {
			all[at].keep, all[at].held = "the "+l.Type()+" "+l.Name()+" on it is not ours", true
		}
	}
}

// below is the index of the link of this network namespace that a link is on, and would
// be deleted with; zero for none. Of a pair, the kernel calls the other end its parent.
func (l link) below() int {
	a := l.Attrs()
	if vxlan, is := l.Link.(*netlink.Vxlan); is {
		return vxlan.VtepDevIndex
	}
	if a.NetNsID >= 0 || l.Type() == "veth" || l.Type() == "netkit" {
		return 0
	}
	return a.ParentIndex
}

// holdByRoutes keeps the links over which one of several ways of a route leads that is not
// the cluster's: with a link, the kernel deletes a route of IPv4 with all of its ways
// (net/ipv4/fib_semantics.c, fib_sync_down_dev).
func (t Network) holdByRoutes(all []link, index map[int]int) error {
	routes, err := netlinks.Routes()
	if err != nil {
		return err
	}
	c := t.routeCase(all)
	for _, r := range routes {
		owner, _ := decideRoute(r, c)
		if len(r.Hops) < 2 || r.Object != 0 || len(r.Dst.IP) != net.IPv4len || owner != inventory.Foreign || c.over(r) {
			continue
		}
		for _, h := range r.Hops {
			if at, is := index[h.Link]; is {
				all[at].keep, all[at].held = "the route to "+r.Dst.String()+", which has another way, would go with it", true
			}
		}
	}
	return nil
}

// Links are the pod network's links, and its addresses on one that stays.
func (t Network) Links() part.Part {
	return part.Part{
		ID: "links", Kind: inventory.KindLink, Look: t.lookLinks,
		Take: func(ctx context.Context, report plan.Report) error {
			all, err := t.All()
			if err != nil {
				return err
			}
			// Ports before their bridge.
			slices.SortStableFunc(all, func(a, b link) int { return cmp.Compare(b.Attrs().MasterIndex, a.Attrs().MasterIndex) })
			for _, l := range all {
				if isTunnel(l.Name(), l.Type()) {
					if err := t.takeTunnel(l.Link, report); err != nil {
						return err
					}
				}
				if l.Owner == inventory.Foreign || l.keep != "" || l.Type() == ownership.OpenVSwitch {
					continue
				}
				// The other end of a pair goes with the first.
				if err := netlink.LinkDel(l.Link); err != nil && !errors.Is(err, unix.ENODEV) {
					return fmt.Errorf("delete link %s: %w", l.Name(), err)
				}
				report("deleted %s %s", l.Type(), l.Name())
			}
			return part.Left(ctx, t.lookLinks)
		},
	}
}

// linkDetail is "vxlan 10.244.1.0/32".
func linkDetail(l link, addrs []netlink.Addr) string {
	words := make([]string, 0, len(addrs)+1)
	for _, a := range addrs {
		words = append(words, a.IPNet.String())
	}
	slices.Sort(words)
	return strings.Join(append([]string{l.Type()}, words...), " ")
}

func (t Network) lookLinks(context.Context) (part.Findings, error) {
	var s part.Findings
	all, err := t.All()
	if err != nil {
		return s, err
	}
	addrs, err := netlinks.Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	s.Missed(inventory.KindLink, "addresses", err)
	of := map[int][]netlink.Addr{}
	for _, a := range addrs {
		if a.Scope != unix.RT_SCOPE_LINK { // fe80:: is the kernel's, and comes and goes
			of[a.LinkIndex] = append(of[a.LinkIndex], a)
		}
	}
	for _, l := range all {
		if l.Name() == "lo" {
			continue
		}
		its := of[l.Attrs().Index]
		if isTunnel(l.Name(), l.Type()) {
			taken, err := t.lookTunnel(l, its)
			s.Missed(inventory.KindAddress, "routes over "+l.Name(), err)
			s.Add(taken...)
			its = slices.DeleteFunc(its, func(a netlink.Addr) bool {
				return slices.ContainsFunc(taken, func(it inventory.Item) bool { return it.Name == a.IPNet.String() })
			})
		}
		it := inventory.Item{
			Kind: inventory.KindLink, Name: l.Name(), In: l.master, Owner: l.Owner, Fate: inventory.Goes, Detail: linkDetail(l, its),
		}
		switch {
		case l.Owner == inventory.Foreign && l.perhaps != inventory.Foreign:
			it.Fate, it.Why, it.Digest, it.Refers = inventory.Stays, ownership.PerhapsWhy(l.perhaps), it.Detail, ownership.PerhapsWhy(l.perhaps)
		case l.Owner == inventory.Foreign:
			it.Fate, it.Why, it.Digest = inventory.Stays, "not made by Kubernetes or its network", it.Detail
		case l.keep != "":
			if it.Fate, it.Why = inventory.Stays, l.keep; l.held {
				it.Refers = "made for the pod network, and it stays: " + l.keep
			}
		case l.Type() == ownership.OpenVSwitch:
			it.Fate, it.Why = inventory.Reboot, "a port of Open vSwitch's, which alone deletes it before: ovs-dpctl del-if"
		}
		s.Add(it)
	}
	return s, nil
}
