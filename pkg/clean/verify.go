// SPDX-License-Identifier: Apache-2.0

package clean

// State is the outcome of a removal.
type State string

// The outcomes.
const (
	Clean            State = "clean"
	CleanAfterReboot State = "clean-after-reboot"
	Dirty            State = "dirty"
)

// Verdict is whether a host is as it was before it joined, and if not, why.
type Verdict struct {
	State State `json:"state"`
	// Remaining are the things of ours that are still there.
	Remaining []Item `json:"remaining,omitempty"`
	// AfterReboot are the things of ours that only a reboot takes away.
	AfterReboot []Item `json:"afterReboot,omitempty"`
	// Unchecked are the parts that could not be read: not called clean.
	Unchecked []Unchecked `json:"unchecked,omitempty"`
	// Blocking is what would stop this host from joining again.
	Blocking []string `json:"blocking,omitempty"`
	// Harmless is what stays of ours because it is empty and does nothing.
	Harmless []Item `json:"harmless,omitempty"`
	// Lost are foreign things that were there before and are not any more, and
	// Changed those whose content differs. Neither makes a host dirty (others
	// change a host, too), but it is the first thing to look at.
	Lost    []Item `json:"lost,omitempty"`
	Changed []Item `json:"changed,omitempty"`
}

// Verify compares the inventory after a removal with the one before it.
func Verify(before, after Inventory) Verdict {
	return Verdict{}
}
