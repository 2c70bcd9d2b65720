// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
)

// Removal is what a removal would do to a host: the plan a person is shown.
type Removal struct {
	// Objects are the things that go, in the order in which they go.
	Objects []Item `json:"objects"`
	// Stay are the foreign and the harmless things, in the inventory's order.
	Stay []Item `json:"stay,omitempty"`
	// Unchecked is what nothing can be said about.
	Unchecked []Unchecked `json:"unchecked,omitempty"`
}

// Decide says what of an inventory goes, in which order, and what stays. It is
// pure; the steps of Recipe find the same things by a fresh look at the host.
func Decide(inv Inventory) Removal {
	r := Removal{Objects: []Item{}, Unchecked: inv.Unchecked}
	for _, it := range inv.Items {
		if it.Fate == Goes {
			r.Objects = append(r.Objects, it)
			continue
		}
		r.Stay = append(r.Stay, it)
	}
	order := Stages()
	slices.SortStableFunc(r.Objects, func(a, b Item) int {
		stage, group := place(order, a)
		otherStage, otherGroup := place(order, b)
		return cmp.Or(cmp.Compare(stage, otherStage), cmp.Compare(group, otherGroup), within(a, b))
	})
	return r
}
