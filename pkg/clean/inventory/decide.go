// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"slices"
	"strings"
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
	slices.SortStableFunc(r.Objects, func(a, b Item) int {
		return cmp.Or(cmp.Compare(stage(a), stage(b)), within(a, b))
	})
	return r
}

// stage is when in a removal a thing goes: the number of its step.
func stage(it Item) int {
	stages := [][]Kind{
		{KindMember}, {KindUnit}, {KindContainer, KindSandbox}, {}, {KindProcess}, {KindMount}, {KindNetNS}, {KindProgram}, {KindVirtual},
		{KindAddress, KindLink}, {KindRoute, KindRule}, {KindJump}, {KindChain, KindTable}, {KindIPSet}, {KindPin}, {KindCgroup}, {KindFile, KindDir}, {}, {},
	}
	n := slices.IndexFunc(stages, func(kinds []Kind) bool { return slices.Contains(kinds, it.Kind) })
	switch {
	case it.Name == HoldFile:
		return len(stages) - 1
	case it.Why == CredentialsLast:
		return len(stages) - 2
	case n == 2 && strings.Contains(it.Detail, HostNetwork):
		return n + 1 // the network's own agents, after all pods that need them
	}
	return n
}

// Marks in Detail and Why that Decide reads.
const (
	HostNetwork     = "host network"
	CredentialsLast = "last, since it is the way back"
	// returns begins the detail of a file that a network has put aside: it is not
	// deleted but gets back the name that follows.
	Returns = "gets back its name "
)

// within orders things of one stage: deeper mounts and directories first, and
// the ports of a bridge before the bridge.
func within(a, b Item) int {
	last := func(it Item) int {
		if strings.HasPrefix(it.Detail, Returns) {
			return 1 // its name is to be free by then
		}
		return 0
	}
	switch {
	case last(a) != last(b):
		return cmp.Compare(last(a), last(b))
	case slices.Contains([]Kind{KindMount, KindFile, KindDir, KindCgroup}, a.Kind):
		return strings.Compare(b.Name, a.Name)
	case a.Kind == KindLink:
		return cmp.Or(-cmp.Compare(len(a.In), len(b.In)), strings.Compare(a.Name, b.Name))
	}
	return 0
}
