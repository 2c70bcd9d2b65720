// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// administrators is why the chain of the firewall plugin that they fill stays.
const administrators = "the network's firewall plugin made it for administrators' own rules, and such are in it"

// administer gives up the chain that the firewall plugin makes for administrators if one
// of their rules is in it, and the chain that leads there, of which only the other rules go.
func (d *division) administer() {
	if d.chains[ownership.AdminChain] == inventory.Foreign || d.chains[ownership.AdminChain] == "" {
		return // there is none, or other networks use it, too
	}
	d.administered = slices.ContainsFunc(d.table.Chains, func(c netfilter.Chain) bool {
		return c.Name == ownership.AdminChain && slices.ContainsFunc(c.Rules, func(r netfilter.Rule) bool { return !d.owns(r.Targets) })
	})
	if !d.administered {
		return
	}
	for _, name := range []string{ownership.AdminChain, ownership.FirewallChain} {
		delete(d.chains, name)
		d.shared[name] = true
	}
}

// doubtful are the chains that stay although their names are a network's or begin so.
func (d division) doubtful() []inventory.Item {
	var out []inventory.Item
	more := 0
	for _, c := range d.table.Chains {
		why := ""
		if owner, is := d.alike[c.Name]; is {
			why = ownership.PerhapsWhy(owner)
		} else if d.administered && c.Name == ownership.AdminChain {
			why = administrators
		}
		switch {
		case why == "":
		case len(out) == mostReferring:
			more++
		default:
			out = append(out, inventory.Item{
				Kind: inventory.KindChain, Name: c.Name, In: d.table.String(), Owner: inventory.Foreign, Fate: inventory.Stays,
				Detail: fmt.Sprintf("%d rules", len(c.Rules)), Why: why, Refers: why,
			})
		}
	}
	if more > 0 {
		last := out[len(out)-1]
		last.Name, last.Detail = fmt.Sprintf("%d more chains", more), ""
		last.Count = more
		out = append(out, last)
	}
	return out
}
