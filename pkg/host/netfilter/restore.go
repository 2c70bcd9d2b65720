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

// took reports whether a rule of a chain that stays was deleted.
func (d Deletion) took(chain string, r Rule) bool {
	return slices.ContainsFunc(d.Rules[chain], func(gone Rule) bool {
		return gone.Handle == r.Handle && gone.Text == r.Text
	})
}
