// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// division is one table of the packet filter, divided into what is ours and
// what is not.
type division struct {
	table netfilter.Table
	// whole is the owner of a native table that has but one; else Foreign.
	whole inventory.Owner
	// likeWhole is the network whose native table this is called; nothing shows that it is.
	likeWhole inventory.Owner
	// chains are our chains by name.
	chains map[string]inventory.Owner
	// alike are chains that begin as a network's, and the network; nothing shows that they
	// are its.
	alike map[string]inventory.Owner
	// administered says that administrators' rules are in ownership.AdminChain: it stays, and
	// so does the way to it.
	administered bool
	// pinned are chains of ours that something foreign leads to: they are emptied
	// but stay, since that is not ours to delete. Value: what it is.
	pinned map[string]string
	// shared are chains of the standard CNI plugins that other networks of this
	// host use as well: they stay, and only our rules in them go.
	shared map[string]bool
	// jumps are our rules in chains that are not ours, in order.
	jumps []jump
	// all says that everything in the table goes, whosever it is.
	all bool
	// bare are the kernel's chains that hold no rule but ours.
	bare map[string]bool
}

type jump struct {
	chain string
	rule  netfilter.Rule
	owner inventory.Owner
}

// divide finds out what of a table is ours. In iptables' tables, ours are the
// chains with our names, the rules in the kernel's own chains that jump to
// them, and the rules there that carry our comments. Of other tables, ours are
// those with our names, entirely; one that has a foreign owner is left alone
// even if it has a chain called KUBE-SERVICES.
func divide(t netfilter.Table, by ownership.Signs) division {
	d := division{table: t, whole: inventory.Foreign, likeWhole: inventory.Foreign, chains: map[string]inventory.Owner{},
		pinned: map[string]string{}, shared: map[string]bool{}, alike: map[string]inventory.Owner{}}
	if !t.Compatible() {
		d.whole, d.likeWhole = by.Table(t.Family + " " + t.Name)
		if d.whole == inventory.CNIPlugins && by.Others {
			d.whole = inventory.Foreign
		}
		return d
	}
	for _, c := range t.Chains {
		if c.Base {
			continue
		}
		switch owner, perhaps := by.Chains.Decide(c.Name, by.Second); {
		case owner != inventory.Foreign:
			d.chains[c.Name] = owner
		case perhaps != inventory.Foreign:
			d.alike[c.Name] = perhaps
		}
	}
	d.share(by)
	d.administer()
	for _, c := range t.Chains {
		if _, ours := d.chains[c.Name]; ours {
			continue
		}
		for _, r := range c.Rules {
			d.claim(c, r, by)
		}
	}
	d.findBare()
	d.pinMapped()
	return d
}

// pinMapped finds the chains of ours that a map of verdicts leads to.
func (d *division) pinMapped() {
	for name := range d.table.Mapped() {
		if _, ours := d.chains[name]; ours && d.pinned[name] == "" {
			d.pinned[name] = "a map of verdicts"
		}
	}
}

// findBare counts our rules in the kernel's chains: those that iptables makes. A chain
// on a hook that a person has named is that person's, also while it is empty.
func (d *division) findBare() {
	mine := map[string]int{}
	for _, j := range d.jumps {
		mine[j.chain]++
	}
	d.bare = map[string]bool{}
	for _, c := range d.table.Chains {
		made := c.Base && slices.Contains([]string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}, c.Name)
		d.bare[c.Name] = made && mine[c.Name] == len(c.Rules)
	}
}

// deletion is what has to be deleted so that nothing of ours is left. iptables
// on nf_tables makes the kernel's chains, and their table, when the first rule
// comes: those that held only ours and let everything pass go with it, if they
// are still empty then.
func (d division) deletion() netfilter.Deletion {
	if d.all {
		return d.flush()
	}
	t := d.table
	out := netfilter.Deletion{Table: t, Whole: d.whole != inventory.Foreign}
	if out.Whole {
		return out
	}
	for _, j := range d.jumps {
		if out.Rules == nil {
			out.Rules = map[string][]netfilter.Rule{}
		}
		out.Rules[j.chain] = append(out.Rules[j.chain], j.rule)
	}
	for _, c := range t.Chains {
		if _, ours := d.chains[c.Name]; !ours {
			continue
		}
		_, pinned := d.pinned[c.Name]
		if len(c.Rules) > 0 || !pinned {
			out.Flush = append(out.Flush, c.Name)
		}
		if !pinned {
			out.Chains = append(out.Chains, c.Name)
		}
	}
	if t.Backend == netfilter.Nft && !out.Empty() {
		out.Bare, out.Drop = d.bared(), d.alone()
	}
	return out
}

// bared are the kernel's chains that hold nothing once ours is deleted, and
// held something or go with their table.
func (d division) bared() []string {
	var out []string
	for _, c := range d.table.Chains {
		if c.Base && c.Policy == "accept" && d.bare[c.Name] && (len(c.Rules) > 0 || d.alone()) {
			out = append(out, c.Name)
		}
	}
	return out
}

// alone reports whether a table holds nothing but ours and empty chains of the
// kernel's that let everything pass: no set, map or object either.
func (d division) alone() bool {
	for _, c := range d.table.Chains {
		if _, ours := d.chains[c.Name]; !ours && (!c.Base || c.Policy != "accept" || !d.bare[c.Name]) {
			return false
		}
	}
	return d.table.Compatible() && len(d.pinned) == 0 && d.table.More() == 0
}

// items are the table, its chains and jumps as an inventory lists them.
func (d division) items() []inventory.Item {
	t := d.table
	switch {
	case d.all:
		return d.flushItems()
	case d.whole != inventory.Foreign:
		return []inventory.Item{{
			Kind: inventory.KindTable, Name: t.String(), Owner: d.whole, Fate: inventory.Goes,
			Detail: fmt.Sprintf("%d chains, %d rules", len(t.Chains), t.Rules()),
		}}
	}
	out := []inventory.Item{d.foreign()}
	for _, c := range t.Chains {
		owner, ours := d.chains[c.Name]
		if !ours {
			continue
		}
		it := inventory.Item{
			Kind: inventory.KindChain, Name: c.Name, In: t.String(), Owner: owner, Fate: inventory.Goes,
			Detail: fmt.Sprintf("%d rules", len(c.Rules)),
		}
		if by, pinned := d.pinned[c.Name]; pinned && len(c.Rules) == 0 {
			it.Fate, it.Why = inventory.Harmless, "empty; "+by+", which is not ours, leads to it"
		}
		out = append(out, it)
	}
	if d.likeWhole != inventory.Foreign {
		why := ownership.PerhapsWhy(d.likeWhole)
		out = append(out, inventory.Item{Kind: inventory.KindTable, Name: t.String(), Owner: inventory.Foreign, Fate: inventory.Stays, Why: why,
			Refers: why})
	}
	out = append(out, d.doubtful()...)
	seen := map[string]int{}
	for _, j := range d.jumps {
		name := j.chain + " → " + strings.Join(j.rule.Targets, ", ")
		if len(j.rule.Targets) == 0 || !d.owns(j.rule.Targets) {
			name = j.chain + " # " + cmp.Or(strings.Join(j.rule.Comments, "; "), j.rule.Text, j.rule.HandleText())
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		out = append(out, inventory.Item{
			Kind: inventory.KindJump, Name: name, In: t.String(), Owner: j.owner, Fate: inventory.Goes,
			Detail: strings.Join(j.rule.Comments, "; "),
		})
	}
	return out
}

func (d division) owns(targets []string) bool {
	return slices.ContainsFunc(targets, func(t string) bool { _, ours := d.chains[t]; return ours })
}

// foreign is the part of a table that is not ours, as one item with a digest
// of it.
func (d division) foreign() inventory.Item {
	mine := d.mine()
	keep := func(c *netfilter.Chain, r *netfilter.Rule) bool {
		if _, ours := d.chains[c.Name]; ours || (c.Base && c.Policy == "accept" && d.bare[c.Name]) {
			return false
		}
		return r == nil || !mine[keyOf(c.Name, r)]
	}
	chains, rules := 0, 0
	for i := range d.table.Chains {
		c := &d.table.Chains[i]
		if !keep(c, nil) {
			continue
		}
		chains++
		for j := range c.Rules {
			if keep(c, &c.Rules[j]) {
				rules++
			}
		}
	}
	it := inventory.Item{
		Kind: inventory.KindTable, Name: d.table.String(), Owner: inventory.Foreign, Fate: inventory.Stays, Why: "not made by Kubernetes or " +
			"its network",
		Detail: fmt.Sprintf("%d foreign chains, %d foreign rules", chains, rules), Digest: d.table.Digest(keep),
	}
	if d.alone() {
		it.Fate, it.Why, it.Digest = inventory.Harmless, "the kernel's own chains, empty, policy accept: what iptables makes when it is first "+
			"asked about a table", ""
		it.Detail = "empty apart from what goes"
	}
	return it
}

// ruleKey tells a rule from the others of its table.
type ruleKey struct {
	chain, text string
	handle      uint64
}

func keyOf(chain string, r *netfilter.Rule) ruleKey { return ruleKey{chain, r.Text, r.Handle} }

// mine are the jumps, to be asked rule by rule.
func (d division) mine() map[ruleKey]bool {
	out := make(map[ruleKey]bool, len(d.jumps))
	for i := range d.jumps {
		out[keyOf(d.jumps[i].chain, &d.jumps[i].rule)] = true
	}
	return out
}
