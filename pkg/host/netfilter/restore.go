// SPDX-License-Identifier: Apache-2.0

package netfilter

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Undo is the input of iptables-restore --noflush that brings back what a
// deletion from a legacy table took away, each rule in its old place.
func (d Deletion) Undo() string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", d.Table.Name)
	for _, chain := range d.Chains {
		fmt.Fprintf(&b, ":%s - [0:0]\n", chain)
	}
	for _, chain := range d.Open {
		fmt.Fprintf(&b, ":%s DROP [0:0]\n", chain)
	}
	for _, chain := range d.Flush {
		if c := d.Table.Chain(chain); c != nil {
			for _, r := range c.Rules {
				b.WriteString(r.Text + "\n")
			}
		}
	}
	for _, chain := range slices.Sorted(maps.Keys(d.Rules)) {
		c := d.Table.Chain(chain)
		if c == nil {
			continue
		}
		for i, r := range c.Rules { // in their order: each finds those before it in place
			if d.took(chain, r) {
				fmt.Fprintf(&b, "-I %s %d%s\n", chain, i+1, strings.TrimPrefix(r.Text, "-A "+chain))
			}
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// Kept is a deletion with no more of its table than Restore needs: the chains that
// lose something, and in their places, of the rules that stay, the handles.
func (d Deletion) Kept() Deletion {
	kept := d
	kept.Table.Chains, kept.Rules = nil, map[string][]Rule{}
	touched := set(d.Flush, d.Chains, d.Bare)
	for _, c := range d.Table.Chains {
		gone := d.Rules[c.Name]
		if len(gone) == 0 && !touched[c.Name] {
			continue
		}
		if len(gone) > 0 {
			c.Rules = held(c.Rules, gone)
		}
		kept.Table.Chains = append(kept.Table.Chains, c)
		for _, r := range gone {
			kept.Rules[c.Name] = append(kept.Rules[c.Name], Rule{Handle: r.Handle, Text: r.Text})
		}
	}
	return kept
}

// held are the rules of a chain with only the handles of those that stay.
func held(all, gone []Rule) []Rule {
	goes := map[identity]bool{}
	for _, r := range gone {
		goes[r.identity()] = true
	}
	out := make([]Rule, len(all))
	for i, r := range all {
		out[i] = Rule{Handle: r.Handle}
		if goes[r.identity()] {
			out[i] = r
		}
	}
	return out
}

// identity is what a rule is known by in its chain.
type identity struct {
	handle uint64
	text   string
}

func (r Rule) identity() identity { return identity{r.Handle, r.Text} }

// took reports whether a rule of a chain that stays was deleted.
func (d Deletion) took(chain string, r Rule) bool {
	return slices.ContainsFunc(d.Rules[chain], func(gone Rule) bool { return gone.identity() == r.identity() })
}
