// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// twin is another Node that is of the same machine, with the signs of that.
type twin struct {
	node  *corev1.Node
	signs []string
}

// sameMachine finds the other Nodes that are of the same machine as a Node: it was
// renamed, and has joined again. One sign is never enough. Machines that were made
// from one image share their machine id, cheap boards their system UUID, containers
// of one host the boot id; an address may have been given to another machine. So
// one sign is wanted that is not copied with a disk, an address or a provider's id,
// and one of the machine's own; or the machine id together with the boot id, which
// no copy has and no neighbour. It is pure; the order is that of the list.
func sameMachine(node *corev1.Node, all []corev1.Node) []twin {
	var out []twin
	for i := range all {
		other := &all[i]
		if other.UID == node.UID && other.Name == node.Name || other.Name == node.Name {
			continue
		}
		if signs, same := signsOf(node, other); same {
			out = append(out, twin{other, signs})
		}
	}
	return out
}

// signsOf are what two Nodes have in common that tells machines apart, and whether
// it is enough.
func signsOf(a, b *corev1.Node) (signs []string, same bool) {
	common := func(x, y string) bool { return x != "" && x == y }
	if a.Spec.ProviderID != "" && b.Spec.ProviderID != "" && a.Spec.ProviderID != b.Spec.ProviderID {
		return nil, false
	}
	mine, theirs := a.Status.NodeInfo, b.Status.NodeInfo
	machine, boot := common(mine.MachineID, theirs.MachineID), common(mine.BootID, theirs.BootID)
	system := common(mine.SystemUUID, theirs.SystemUUID)
	placed := false
	if common(a.Spec.ProviderID, b.Spec.ProviderID) {
		signs, placed = append(signs, "provider id "+a.Spec.ProviderID), true
	}
	if address := sharedAddress(a, b); address != "" {
		signs, placed = append(signs, "address "+address), true
	}
	for _, s := range []struct {
		is   bool
		what string
	}{{machine, "machine id"}, {system, "system UUID"}, {boot, "boot id"}} {
		if s.is {
			signs = append(signs, s.what)
		}
	}
	return signs, placed && len(signs) > 1 || machine && boot
}

// sharedAddress is an internal address that two Nodes have; empty if there is none.
func sharedAddress(a, b *corev1.Node) string {
	for _, address := range a.Status.Addresses {
		if address.Type == corev1.NodeInternalIP && slices.Contains(b.Status.Addresses, address) {
			return address.Address
		}
	}
	return ""
}
