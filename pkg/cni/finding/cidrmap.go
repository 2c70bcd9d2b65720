// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Span is one range of addresses of the cluster.
type Span struct {
	// What it is for: "pods", "Services", "nodes", "pool of cilium".
	What string `json:"what"`
	// CIDRs is the range. That of the nodes is the smallest of blocks of the size of a
	// network in which all their addresses are.
	CIDRs  []netip.Prefix `json:"cidrs"`
	Source string         `json:"source"`
	// Overlaps says with what it shares addresses and must not.
	Overlaps []string `json:"overlaps,omitempty"`

	kind spanKind
	// inside says that it lies in the pods' range, which is compared itself.
	inside bool
	// exact are the addresses that count, where CIDRs is only how they are shown.
	exact []netip.Prefix
}

type spanKind int

const (
	ofPods spanKind = iota
	ofServices
	ofNodes
	ofServer
	ofJoin
)

// Map lists the ranges of a cluster, and marks which of them overlap.
func Map(in Input) []Span {
	var spans []Span
	add := func(kind spanKind, what string, prefixes []netip.Prefix, source string) {
		if len(prefixes) > 0 {
			outside := func(p netip.Prefix) bool { return !cidr.Contains(in.Facts.Pods.CIDRs, p) }
			spans = append(spans, Span{What: what, CIDRs: prefixes, Source: source, kind: kind, exact: prefixes,
				inside: kind == ofPods && what != "pods" && !slices.ContainsFunc(prefixes, outside)})
		}
	}
	add(ofPods, "pods", in.Facts.Pods.CIDRs, in.Facts.Pods.Source)
	for _, n := range in.Networks {
		add(ofPods, "pool of "+n.CNI, n.Setting.Pool, n.Setting.Source)
		add(ofJoin, "join network of "+n.CNI, n.Setting.Join, n.Setting.Source)
	}
	add(ofPods, "pool of "+in.Wanted.CNI+", wanted", in.Wanted.Pool, "its values")
	add(ofServices, "Services", in.Services.CIDRs, in.Services.Source)
	var own []netip.Prefix
	for _, n := range in.Nodes {
		for _, a := range n.Addresses {
			own = append(own, cidr.Host(a))
		}
	}
	add(ofNodes, "nodes", own, "InternalIPs of "+text.Count(len(in.Nodes), "node"))
	if len(own) > 0 {
		spans[len(spans)-1].CIDRs = blocks(own)
	}
	if a, ok := serverAddress(in.Endpoint, in.Server); ok {
		add(ofServer, "API server", []netip.Prefix{cidr.Host(a)}, "controlPlaneEndpoint or cluster-info")
	}
	for i := range spans {
		for j := range spans {
			if _, _, bad := spans[i].meets(spans[j]); bad && i != j {
				spans[i].Overlaps = append(spans[i].Overlaps, spans[j].What)
			}
		}
	}
	return spans
}

// meets returns the first pair of CIDRs that two spans share addresses in and must
// not. What is for pods may overlap what is for pods, and an API server is on a node.
func (s Span) meets(other Span) (x, y netip.Prefix, bad bool) {
	nodes := func(k spanKind) bool { return k == ofNodes || k == ofServer }
	if s.inside || other.inside || s.kind == other.kind || nodes(s.kind) && nodes(other.kind) {
		return x, y, false
	}
	return cidr.Overlap(s.exact, other.exact)
}

// blocks are the networks, of /24 or /64, in which addresses are.
func blocks(addresses []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addresses {
		bits := 24
		if a.Addr().Is6() {
			bits = 64
		}
		out = append(out, netip.PrefixFrom(a.Addr(), bits).Masked())
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits()) })
	return slices.Compact(out)
}

// serverAddress is the API server's address, where it is one and no name.
func serverAddress(endpoint, server string) (netip.Addr, bool) {
	host := endpoint
	if h, _, err := net.SplitHostPort(endpoint); err == nil {
		host = h
	}
	if host == "" {
		if u, err := url.Parse(server); err == nil {
			host = u.Hostname()
		}
	}
	a, err := cidr.ParseAddress(host)
	return a, err == nil
}
