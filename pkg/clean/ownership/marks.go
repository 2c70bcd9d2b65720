// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Marks are the signs of each owner that were found on a host, by the kind of
// thing that shows them. One sign can be another's: a table of routes with
// a number that a network uses, too, a link that a person called cni0, a comment
// that begins with "cilium:". What has only such a sign goes if there is a second
// one of another kind, and stays and is named otherwise.
type Marks map[inventory.Owner][]inventory.Kind

// Add notes a sign of an owner.
func (m Marks) Add(owner inventory.Owner, kind inventory.Kind) {
	if owner != inventory.Foreign && !slices.Contains(m[owner], kind) {
		m[owner] = append(m[owner], kind)
	}
}

// Besides reports whether an owner has a sign of another kind than some.
func (m Marks) Besides(owner inventory.Owner, kinds ...inventory.Kind) bool {
	return slices.ContainsFunc(m[owner], func(k inventory.Kind) bool { return !slices.Contains(kinds, k) })
}

// Merge adds the signs of another look.
func (m Marks) Merge(other Marks) {
	for owner, kinds := range other {
		for _, kind := range kinds {
			m.Add(owner, kind)
		}
	}
}

// PerhapsWhy says why a thing stays that has only one sign of an owner.
func PerhapsWhy(owner inventory.Owner) string {
	return "named as " + string(owner) + " names its own, and nothing else here shows that it is"
}
