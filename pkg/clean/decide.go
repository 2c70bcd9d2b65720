// SPDX-License-Identifier: Apache-2.0

package clean

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

// stage is when in a removal a thing goes.
func stage(it Item) int {
	switch it.Kind {
	case KindUnit:
		return 0
	case KindContainer, KindSandbox:
		if strings.Contains(it.Detail, hostNetwork) {
			return 2 // the network's own agents, after all pods that need them
		}
		return 1
	case KindProcess:
		return 3
	case KindMount:
		return 4
	case KindNetNS:
		return 5
	case KindLink:
		return 6
	case KindRoute, KindRule:
		return 7
	case KindJump:
		return 8
	case KindChain, KindTable:
		return 9
	case KindIPSet:
		return 10
	case KindPin:
		return 11
	case KindCgroup:
		return 12
	case KindFile, KindDir:
		switch {
		case it.Name == holdFile:
			return 15
		case it.Why == credentialsLast:
			return 14
		}
		return 13
	case KindSysctl:
	}
	return 13
}

// Marks in Detail and Why that Decide reads.
const (
	hostNetwork     = "host network"
	credentialsLast = "last, since it is the way back"
)

// within orders things of one stage: deeper mounts and directories first, and
// the ports of a bridge before the bridge.
func within(a, b Item) int {
	switch a.Kind {
	case KindMount, KindFile, KindDir, KindCgroup:
		return strings.Compare(b.Name, a.Name)
	case KindLink:
		return cmp.Or(-cmp.Compare(len(a.In), len(b.In)), strings.Compare(a.Name, b.Name))
	}
	return 0
}
