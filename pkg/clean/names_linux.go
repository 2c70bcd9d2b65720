// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// names say where in a list the things are that a look has found.
type names map[string]int

// add adds what a part has found. A thing that refers to the cluster is there once, however
// many parts say so: one that another part lets stay refers to it then, one that goes
// goes.
func (n names) add(all *part.Findings, items []inventory.Item) {
	for _, it := range items {
		at, known := n[it.Key()]
		if known && it.Fate == inventory.Stays && it.Refers != "" {
			if other := &all.Items[at]; other.Fate == inventory.Stays {
				other.Refers = cmp.Or(other.Refers, it.Refers)
			}
			continue
		}
		if !known {
			n[it.Key()] = len(all.Items)
		}
		all.Add(it)
	}
}
