// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Connections makes the kernel forget the connections of pods and services: one
// that is remembered leads packets to addresses that are other pods' by the time
// this host joins again. It is no part of an inventory, since they come and go by
// themselves. Foreign connections are never forgotten: behind a policy DROP
// that would end them.
func (t Network) Connections() part.Part {
	return part.Part{
		ID: "connections",
		Needed: func(context.Context) (bool, error) {
			found, err := t.flows()
			return len(found) > 0, err
		},
		Take: func(_ context.Context, report plan.Report) error {
			local, err := t.localNetworks()
			if err != nil {
				return err
			}
			forgotten := uint(0)
			for _, family := range families() {
				n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, podFlows{t.clusterNetworks(), local})
				if err != nil && !errors.Is(err, unix.ENOENT) {
					return fmt.Errorf("forget connections: %w", err)
				}
				forgotten += n
			}
			report("forgot %d connections", forgotten)
			return nil
		},
	}
}

func families() []netlink.InetFamily { return []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} }

// flows lists the connections of pods and services; none on a kernel that tracks
// nothing, which is not asked: that would make it begin.
func (t Network) flows() ([]*netlink.ConntrackFlow, error) {
	count, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_count")
	if err != nil || strings.TrimSpace(string(count)) == "0" || len(t.clusterNetworks()) == 0 {
		return nil, nil //nolint:nilerr // nothing is tracked
	}
	local, err := t.localNetworks()
	if err != nil {
		return nil, err
	}
	var out []*netlink.ConntrackFlow
	for _, family := range families() {
		all, err := netlinks.Dump(func() ([]*netlink.ConntrackFlow, error) {
			return netlink.ConntrackTableList(netlink.ConntrackTable, family)
		})
		if err != nil {
			return nil, fmt.Errorf("list connections: %w", err)
		}
		for _, flow := range all {
			if (podFlows{t.clusterNetworks(), local}).MatchConntrackFlow(flow) {
				out = append(out, flow)
			}
		}
	}
	return out, nil
}

// podFlows fits connections from or to the networks of a cluster, except where
// one end is in a network that this host has an address in, as Docker's may be.
type podFlows struct{ cluster, local []*net.IPNet }

// MatchConntrackFlow reports whether a connection is one of those.
func (p podFlows) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	ends := []net.IP{flow.Forward.SrcIP, flow.Forward.DstIP, flow.Reverse.SrcIP, flow.Reverse.DstIP}
	in := func(networks []*net.IPNet) bool {
		return slices.ContainsFunc(ends, func(ip net.IP) bool {
			return slices.ContainsFunc(networks, func(n *net.IPNet) bool { return n.Contains(ip) })
		})
	}
	return in(p.cluster) && !in(p.local)
}

// clusterNetworks are those of the pods and services.
func (t Network) clusterNetworks() []*net.IPNet {
	var out []*net.IPNet
	for _, text := range slices.Concat(t.Facts.PodCIDRs, t.Facts.ServiceCIDRs) {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			continue
		}
		if ones, _ := network.Mask.Size(); ones > 0 {
			out = append(out, network)
		}
	}
	return out
}

// localNetworks are those inside a cluster's in which a foreign link has an
// address.
func (t Network) localNetworks() ([]*net.IPNet, error) {
	links, err := t.All()
	if err != nil {
		return nil, err
	}
	cluster := t.clusterNetworks()
	var out []*net.IPNet
	for _, l := range links {
		if l.Owner != inventory.Foreign {
			continue
		}
		addrs, err := netlinks.Dump(func() ([]netlink.Addr, error) { return netlink.AddrList(l.Link, netlink.FAMILY_ALL) })
		if err != nil {
			return nil, fmt.Errorf("list the addresses of link %s: %w", l.Name(), err)
		}
		for _, a := range addrs {
			if slices.ContainsFunc(cluster, func(n *net.IPNet) bool { return n.Contains(a.IP) }) {
				out = append(out, &net.IPNet{IP: a.IP.Mask(a.Mask), Mask: a.Mask})
			}
		}
	}
	return out, nil
}
