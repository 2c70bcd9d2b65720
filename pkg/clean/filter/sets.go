// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// usesOf notes which of some ip sets the rules of a table use that stay, and by which of
// them: the first.
func (d division) usesOf(sets []string, numbers map[uint16]string, used map[string]string) {
	if d.all || d.whole != inventory.Foreign {
		return
	}
	mine := map[string]bool{}
	for _, j := range d.jumps {
		mine[ruleKey(j.chain, j.rule)] = true
	}
	for _, c := range d.table.Chains {
		if _, ours := d.chains[c.Name]; ours {
			continue
		}
		for _, r := range c.Rules {
			if mine[ruleKey(c.Name, r)] {
				continue
			}
			for _, set := range setsOf(r, numbers) {
				if slices.Contains(sets, set) && used[set] == "" {
					used[set] = "a rule that is not ours uses it: table " + d.table.String() + ", " + cmp.Or(r.Text, "chain "+c.Name+" "+r.HandleText())
				}
			}
		}
	}
}

// setsOf are the ip sets that a rule names.
func setsOf(r netfilter.Rule, numbers map[uint16]string) []string {
	var out []string
	for _, number := range r.IPSetNumbers() {
		if name := numbers[number]; name != "" {
			out = append(out, name)
		}
	}
	words := netfilter.Words(r.Text)
	for i, word := range words {
		names := slices.Contains([]string{"--match-set", "--add-set", "--del-set", "--map-set"}, word)
		if names && i+1 < len(words) && (i == 0 || words[i-1] != "--comment") {
			out = append(out, words[i+1])
		}
	}
	return out
}
