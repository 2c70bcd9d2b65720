// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

// setUse is what rules say of ip sets.
type setUse struct {
	// by is a rule that uses a set and stays: the first.
	by map[string]string
	// count is how often all rules name a set, those that go among them.
	count map[string]uint32
	// numbers are the sets by the kernel's numbers.
	numbers map[uint16]string
}

// usesOf notes which ip sets the rules of a table use.
func (d division) usesOf(u setUse) {
	mine := d.mine()
	for _, c := range d.table.Chains {
		_, ours := d.chains[c.Name]
		ours = ours || d.all || d.whole != inventory.Foreign
		for i := range c.Rules {
			r := &c.Rules[i]
			sets := setsOf(*r, u.numbers)
			if len(sets) == 0 {
				continue
			}
			stays := !ours && !mine[keyOf(c.Name, r)]
			for _, set := range sets {
				if u.count[set]++; stays && u.by[set] == "" {
					u.by[set] = "a rule that is not ours uses it: table " + d.table.String() + ", " + cmp.Or(r.Text, "chain "+c.Name+" "+r.HandleText())
				}
			}
		}
	}
}

// holders say of those ip sets of ours that the kernel will not let go by what they are
// held: a rule that stays, a list of sets that stays, or something that is neither, as a
// filter of tc, where the kernel counts more of them than there are (unseen). They are not
// ours to delete, and as long as they are there, so is the set.
func (u setUse) holders(sets []netfilter.IPSet, ours []string) (out map[string]string, unseen bool) {
	out = map[string]string{}
	for _, name := range ours {
		if by := u.by[name]; by != "" {
			out[name] = by
		}
	}
	lists := map[string]uint32{}
	for _, s := range sets {
		stays := out[s.Name] != "" || !slices.Contains(ours, s.Name)
		for _, member := range s.Members {
			if lists[member]++; stays && slices.Contains(ours, member) && out[member] == "" {
				out[member] = "the list of sets " + s.Name + ", which stays, has it in it"
			}
		}
	}
	for _, s := range sets {
		seen := u.count[s.Name] + lists[s.Name]
		if u.numbers != nil && s.References > seen && slices.Contains(ours, s.Name) && out[s.Name] == "" {
			unseen = true
			out[s.Name] = fmt.Sprintf("something holds it that is neither a rule nor a set (the kernel counts %d, and %d are seen)",
				s.References, seen)
		}
	}
	return out, unseen
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
