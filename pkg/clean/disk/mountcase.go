// SPDX-License-Identifier: Apache-2.0

package disk

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"

// mountView is what is known of a mount when it is decided whether it goes.
type mountView struct {
	// writtenDown: it is in /etc/fstab, or in a mount unit of systemd's.
	writtenDown bool
	// inKubelets: it is below a directory that a kubelet makes in its root, and where an
	// administrator has given that directory to it, under a name that is provably the kubelet's.
	inKubelets bool
	// sandbox: a runtime with virtual machines has mounted it for a pod.
	sandbox bool
	// owner is whose its path is outside the kubelet's root; Foreign where no name tells.
	owner inventory.Owner
	// peoples: it is the root of a container in the runtime's namespace of pods that is no pod's.
	peoples bool
	// limited: only what one network has left is to go; network: it is that network's.
	limited, network bool
}

// goes reports whether a mount is unmounted. What an administrator has written down stays,
// whatever its name, and what nothing proves to be Kubernetes' or its network's stays.
func (v mountView) goes() bool {
	switch {
	case v.writtenDown:
		return false
	case v.limited:
		return v.network && !v.peoples
	case v.inKubelets, v.sandbox:
		return true
	}
	return v.owner != inventory.Foreign && !v.peoples
}
