// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// claim decides about one rule in a chain that is not ours.
func (d *division) claim(c netfilter.Chain, r netfilter.Rule, by ownership.Signs) {
	ours := c.Base || d.shared[c.Name]
	owner := inventory.Foreign
	for _, target := range r.Targets {
		if o, known := d.chains[target]; known {
			owner = o
			if !ours {
				d.pinned[target] = "the chain " + c.Name
			}
		}
	}
	if d.administered && c.Name == ownership.FirewallChain && !slices.Contains(r.Targets, ownership.AdminChain) {
		owner = inventory.CNIPlugins // of a single container
	}
	for _, comment := range r.Comments {
		if c.Base && owner == inventory.Foreign {
			owner = d.commented(by, comment)
		}
	}
	if ours && owner != inventory.Foreign {
		d.jumps = append(d.jumps, jump{chain: c.Name, rule: r, owner: owner})
	}
}

// commented returns whose a rule is by its comment: with a chain in the same table,
// or another sign on this host.
func (d *division) commented(by ownership.Signs, comment string) inventory.Owner {
	owner := by.Comments.Owner(comment)
	if owner == inventory.Foreign || by.Second != nil && by.Second(owner) {
		return owner
	}
	for _, of := range d.chains {
		if of == owner {
			return owner
		}
	}
	return inventory.Foreign
}

// share gives up those chains of the standard CNI plugins that belong to other
// networks. Chains of a single container tell by the comments of the rules in
// them and of those that jump to them (`name: "podman" id: "…"`); the chains
// for port mappings are shared if there is such a chain in the table; those of
// the firewall plugin, whose rules say nothing, if there are other networks at
// all.
func (d *division) share(by ownership.Signs) {
	foreign := false
	for _, c := range d.table.Chains {
		for _, r := range c.Rules {
			network := networkOf(strings.Join(r.Comments, " "))
			if network == "" || by.Network(network) {
				continue
			}
			for _, name := range append(r.Targets, c.Name) {
				if d.chains[name] == inventory.CNIPlugins && ownership.ContainerChain().MatchString(name) {
					delete(d.chains, name)
					foreign = true
				}
			}
		}
	}
	for name, owner := range d.chains {
		mapping := strings.HasPrefix(name, "CNI-HOSTPORT-")
		if owner == inventory.CNIPlugins && !ownership.ContainerChain().MatchString(name) && (foreign || by.Others && !mapping) {
			delete(d.chains, name)
			d.shared[name] = true
		}
	}
}

// networkOf takes the network's name out of a comment of a CNI plugin:
// `dnat name: "cbr0" id: "b9c6…"` → cbr0.
func networkOf(comment string) string {
	_, rest, found := strings.Cut(comment, `name: "`)
	name, _, ends := strings.Cut(rest, `"`)
	if !found || !ends || !strings.Contains(rest, `id: "`) {
		return ""
	}
	return name
}
