// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Second reports whether an owner has a sign on this host besides those of some kinds.
type Second func(owner inventory.Owner, besides ...inventory.Kind) bool

// Names are those that networks give to one kind of thing. A name that only begins as a
// network's do proves nothing: an administrator has an OVN-ALLOW and a cali-vpn, too.
type Names struct {
	kind inventory.Kind
	// known are the names, and the forms of names, that are in the networks' sources.
	known patterns
	// paired are such names of a network that is none of this cluster's alone: they are a sign, and what has one goes
	// with a second sign.
	paired patterns
	// claimed are names that a network takes for its own, also where another program made them: Felix deletes
	// every chain that begins with "cali-". Where it has another sign, what is so named is its own.
	claimed patterns
	// alike are names that begin as a network's, and are none of its.
	alike patterns
}

// Owner is of whose things a name is a sign: it has the form of one that a network's source gives.
func (n Names) Owner(name string) inventory.Owner {
	if owner := n.known.Owner(name); owner != inventory.Foreign {
		return owner
	}
	return n.paired.Owner(name)
}

// Decide says whose a name is, or after whose things it is named where it is foreign.
func (n Names) Decide(name string, second Second) (owner, perhaps inventory.Owner) {
	if owner := n.known.Owner(name); owner != inventory.Foreign {
		return ours(owner, n.kind, second)
	}
	claimed := n.paired.Owner(name)
	if claimed == inventory.Foreign {
		claimed = n.claimed.Owner(name)
	}
	switch {
	case claimed == inventory.Foreign:
		return inventory.Foreign, n.alike.Owner(name)
	case second != nil && second(claimed, n.kind):
		return claimed, inventory.Foreign
	}
	return inventory.Foreign, claimed
}

// within limits names to a scope: what is not in it is taken for foreign.
func (n Names) within(scope inventory.Scope) Names {
	n.known, n.paired = n.known.within(scope), n.paired.within(scope)
	n.claimed, n.alike = n.claimed.within(scope), n.alike.within(scope)
	return n
}
