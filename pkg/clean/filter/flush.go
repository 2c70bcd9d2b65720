// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// flushed is why foreign rules go.
const flushed = "all rules go, foreign ones too (--firewall=flush)"

// divideAs divides a table as a person has chosen.
func divideAs(c inventory.Choices, t netfilter.Table, by ownership.Signs) division {
	d := divide(t, by)
	d.all = c.Firewall == inventory.FirewallFlush && t.Compatible() && !vacant(t)
	return d
}

// vacant reports whether a table of iptables' shape does nothing.
func vacant(t netfilter.Table) bool {
	for _, c := range t.Chains {
		if !c.Base || c.Policy != "accept" || len(c.Rules) > 0 {
			return false
		}
	}
	return true
}

// flush is the deletion of all that is in a table of iptables' shape. The
// kernel's chains of a legacy table cannot be deleted, and are opened. Sets, maps and
// objects of nft are no rules: they stay with their table, and so does a chain to which a
// map leads.
func (d division) flush() netfilter.Deletion {
	out := netfilter.Deletion{Table: d.table, Drop: d.table.Backend == netfilter.Nft && d.table.More() == 0}
	mapped := d.table.Mapped()
	for _, c := range d.table.Chains {
		if len(c.Rules) > 0 || !c.Base {
			out.Flush = append(out.Flush, c.Name)
		}
		switch {
		case mapped[c.Name] > 0:
		case !c.Base || d.table.Backend == netfilter.Nft:
			out.Chains = append(out.Chains, c.Name)
		case c.Policy != "accept":
			out.Open = append(out.Open, c.Name)
		}
	}
	return out
}

// flushItems are the chains of a table all of which goes, as an inventory lists
// them.
func (d division) flushItems() []inventory.Item {
	var out []inventory.Item
	mapped := d.table.Mapped()
	for _, c := range d.table.Chains {
		if c.Base && c.Policy == "accept" && len(c.Rules) == 0 {
			continue
		}
		it := inventory.Item{
			Kind: inventory.KindChain, Name: c.Name, In: d.table.String(), Owner: d.chains[c.Name], Fate: inventory.Goes,
			Detail: fmt.Sprintf("%d rules", len(c.Rules)),
		}
		if it.Owner == "" {
			it.Owner, it.Why = inventory.Foreign, flushed
		}
		if len(c.Rules) == 0 && mapped[c.Name] > 0 {
			it.Fate, it.Why = inventory.Harmless, "empty, but a verdict map that is not ours jumps to it"
		}
		if c.Policy == "drop" {
			it.Detail += ", policy drop"
		}
		out = append(out, it)
	}
	return out
}
