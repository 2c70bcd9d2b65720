// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

func TestAClusterWithoutANetworkHasAllElse(t *testing.T) {
	f := Facts{
		Networks: []Network{{CNI: "flannel", Namespace: "kube-flannel"}, {CNI: "cilium", Namespace: "kube-system"}},
		Endings:  []Ending{{CNI: "flannel", Namespace: "kube-flannel"}},
		Releases: []release.Release{{Namespace: "kube-flannel", Name: "flannel", Revision: 1},
			{Namespace: "kube-system", Name: "flannel", Revision: 2}},
		Nodes: []Node{{Name: "w1"}},
	}
	got := f.Without("flannel", "kube-flannel", "flannel")
	if len(got.Networks) != 1 || got.Networks[0].CNI != "cilium" || len(got.Endings) > 0 || len(got.Nodes) != 1 ||
		len(got.Releases) != 1 || got.Releases[0].Revision != 2 {
		t.Errorf("%+v", got)
	}
	if len(f.Networks) != 2 || len(f.Releases) != 2 || len(f.Endings) != 1 {
		t.Errorf("the facts themselves have changed: %+v", f)
	}
}
