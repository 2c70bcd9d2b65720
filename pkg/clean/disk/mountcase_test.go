// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestWhichMountsGo(t *testing.T) {
	for _, c := range []struct {
		name string
		view mountView
		want bool
	}{
		{"a foreign mount anywhere stays", mountView{owner: inventory.Foreign}, false},
		{"a pod's volume goes", mountView{owner: inventory.Foreign, inKubelets: true}, true},
		{"one at a pod's place that is in fstab stays", mountView{owner: inventory.Foreign, inKubelets: true, writtenDown: true}, false},
		{"the root of a pod's container goes", mountView{owner: inventory.Runtime}, true},
		{"the root of a person's container beside pods stays", mountView{owner: inventory.Runtime, peoples: true}, false},
		{"one with a runtime's name that is a mount unit stays", mountView{owner: inventory.Runtime, writtenDown: true}, false},
		{"a network's file system of cgroups goes", mountView{owner: inventory.Cilium}, true},
		{"one that is in fstab stays", mountView{owner: inventory.Cilium, writtenDown: true}, false},
		{"what a virtual machine of a pod shares goes", mountView{owner: inventory.Foreign, sandbox: true}, true},
		{"what an administrator shares with one stays", mountView{owner: inventory.Foreign, sandbox: true, writtenDown: true}, false},
		{"of one network only: its own goes", mountView{owner: inventory.Calico, limited: true, network: true}, true},
		{"of one network only: a pod's volume stays", mountView{owner: inventory.Foreign, limited: true, inKubelets: true}, false},
		{"of one network only: a pod's container stays", mountView{owner: inventory.Runtime, limited: true}, false},
		{"of one network only: a virtual machine's stays", mountView{owner: inventory.Foreign, limited: true, sandbox: true}, false},
		{"of one network only: what is in fstab stays", mountView{owner: inventory.Calico, limited: true, network: true, writtenDown: true},
			false},
		{"of one network only: a person's container stays", mountView{owner: inventory.Calico, limited: true, network: true, peoples: true},
			false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.view.goes(); got != c.want {
				t.Errorf("goes: %t, want %t", got, c.want)
			}
		})
	}
}
