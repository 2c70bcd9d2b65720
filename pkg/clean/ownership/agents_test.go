// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

func TestAnAgentIsKnownByItsWholeName(t *testing.T) {
	for program, want := range map[string]inventory.Owner{
		"flanneld": inventory.Flannel, "calico-node": inventory.Calico, "calico-felix": inventory.Calico, "cilium-agent": inventory.Cilium,
		"kube-ovn-daemon": inventory.KubeOVN, "weaver": inventory.Weave, "kg": inventory.Kilo, "antrea-agent": inventory.Antrea,
		"kube-router": inventory.KubeRouter, "flanneld-exporter": "", "cilium": "", "kgx": "", "": "", "sh": "",
	} {
		if got := Agent(program); got != want {
			t.Errorf("%q: %q", program, got)
		}
		if _, known := networks.Find(string(Agent(program))); want != "" && !known {
			t.Errorf("%q: an agent of a network that is not known", program)
		}
	}
}
