// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

// Grounded reports whether anything but names in the kernel shows that this cluster had a
// network: a file or directory of it that was made since the join, or since the boot. Names in
// the kernel prove each other nothing: Felix, Weave and flanneld run on hosts without
// Kubernetes, too, and have chains, sets and links there. What lies below /run is gone
// with the same boot as these, and counts unless such an agent runs on the host itself. Owners that are no pod network have no need of one.
func (m Marks) Grounded(owner inventory.Owner) bool {
	if !ofNetwork(owner) {
		return true
	}
	return slices.ContainsFunc(m[owner], func(k inventory.Kind) bool { return k == inventory.KindFile || k == inventory.KindFlags })
}

// ofNetwork reports whether an owner is a pod network, which may run on a host for itself.
func ofNetwork(owner inventory.Owner) bool {
	_, known := networks.Find(string(owner))
	return known
}

// ours is an owner by a name that only it gives, unless that is a pod network of which
// nothing else is here: then it is the one after which a thing is named.
func ours(owner inventory.Owner, kind inventory.Kind, second Second) (is, perhaps inventory.Owner) {
	if ofNetwork(owner) && second != nil && !second(owner, kind) {
		return inventory.Foreign, owner
	}
	return owner, inventory.Foreign
}

// Table says whose a native nft table is, or after whose it is named where it is foreign.
func (s Signs) Table(name string) (owner, perhaps inventory.Owner) {
	return ours(s.Tables.Owner(name), inventory.KindChain, s.Second)
}

// InMemory reports whether a path is gone with the next boot.
func InMemory(path string) bool { return strings.HasPrefix(path, "/run/") }
