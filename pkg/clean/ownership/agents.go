// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Agent is the network whose agent a program is, by the name of its file or of its process,
// of which the kernel keeps 15 characters: as the networks' own images, packages and units
// call it. It proves nothing for a network: what has such a name may be the host's own.
func Agent(program string) inventory.Owner {
	return map[string]inventory.Owner{
		"flanneld":    inventory.Flannel,
		"calico-node": inventory.Calico, "calico-felix": inventory.Calico, "felix": inventory.Calico, // the last two without Kubernetes
		"cilium-agent": inventory.Cilium,
		"antrea-agent": inventory.Antrea,
		"kube-router":  inventory.KubeRouter,
		"kube-ovn-cmd": inventory.KubeOVN, "kube-ovn-daemon": inventory.KubeOVN,
		"weaver": inventory.Weave,
		"kg":     inventory.Kilo,
	}[program]
}
