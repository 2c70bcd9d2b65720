// SPDX-License-Identifier: Apache-2.0

package clean

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
// pure: the steps of Recipe take the same decisions about a fresh look at the
// host.
func Decide(inv Inventory) Removal {
	return Removal{}
}
