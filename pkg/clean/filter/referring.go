// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// mostReferring bounds how many rules of one table are named.
const mostReferring = 64

// clusterNetwork is a network of the cluster's, and what it is to it.
type clusterNetwork struct {
	netip.Prefix
	what string
}

// clusterNetworks are the pod and Service networks of the cluster.
func clusterNetworks(f inventory.Facts) []clusterNetwork {
	var out []clusterNetwork
	for what, networks := range map[string][]string{"pod network": f.PodCIDRs, "Service network": f.ServiceCIDRs} {
		for _, text := range networks {
			if network, err := netip.ParsePrefix(text); err == nil {
				out = append(out, clusterNetwork{network.Masked(), what})
			}
		}
	}
	return out
}

// referring are the rules of a table that are not ours, and name addresses of the
// cluster's pod or Service network, or links of a network that this host had: an
// administrator's exceptions, say, for a network that this host has left. They are never touched. Rules for wider networks, as those
// for all private addresses, mean more than the cluster.
func (d division) referring(networks []clusterNetwork, link func(name string) inventory.Owner) []inventory.Item {
	if d.all || d.whole != inventory.Foreign {
		return nil
	}
	mine := d.mine()
	var out []inventory.Item
	more := 0
	for _, c := range d.table.Chains {
		if _, ours := d.chains[c.Name]; ours {
			continue
		}
		for i := range c.Rules {
			r := &c.Rules[i]
			spans, links, cut := r.Named(d.table.Family)
			refers := cmp.Or(namesNetwork(spans, networks), namesLink(links, link))
			if refers == "" && cut {
				refers = "not looked at: it names more addresses than are read of a rule"
			}
			switch {
			case refers == "" || mine[keyOf(c.Name, r)]:
			case len(out) == mostReferring:
				more++
			default:
				out = append(out, d.foreignRule(c, *r, refers))
			}
		}
	}
	if more > 0 {
		last := out[len(out)-1]
		last.Name, last.Detail, last.Refers = fmt.Sprintf("%d more rules", more), "", "they name the cluster's networks, too"
		last.Count = more
		out = append(out, last)
	}
	return out
}

// foreignRule is such a rule as an inventory names it: as iptables-save prints it, or
// where nft shows it (nft -a list chain).
func (d division) foreignRule(c netfilter.Chain, r netfilter.Rule, refers string) inventory.Item {
	return inventory.Item{
		Kind: inventory.KindFilter, Name: cmp.Or(r.Text, c.Name+" "+r.HandleText()), In: d.table.String(),
		Owner: inventory.Foreign, Fate: inventory.Stays, Detail: strings.Join(r.Comments, "; "),
		Why: "not made by Kubernetes or its network", Refers: refers,
	}
}

// namesLink says which link of a network's a rule compares with; empty for none. A pod of the host's
// own network writes such rules, and leaves them (jtblin/kube2iam).
func namesLink(links []string, owner func(name string) inventory.Owner) string {
	for _, name := range links {
		if of := owner(name); of != inventory.Foreign {
			return fmt.Sprintf("it names link %s, as %s calls its own", name, of)
		}
	}
	return ""
}

// namesNetwork says which of a cluster's networks some addresses are in; empty for none.
func namesNetwork(spans []netfilter.Span, networks []clusterNetwork) string {
	for _, s := range spans {
		for _, n := range networks {
			if s.Within(n.Prefix) {
				return fmt.Sprintf("it names %s, of the cluster's %s %s", s, n.what, n.Prefix)
			}
		}
	}
	return ""
}
