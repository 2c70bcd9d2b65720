// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// The directory of the kubelet's drop-ins is an administrator's, unless a removal has made it.
func TestADirectoryOfDropInsThatWasThereStays(t *testing.T) {
	for name, plant := range map[string]string{
		"a link": "mkdir -p srv/dropins; echo '[Service]' > srv/dropins/10-kubeadm.conf; " +
			"ln -s ../../../srv/dropins etc/systemd/system/kubelet.service.d",
		"a link to an empty one": "mkdir -p srv/dropins; ln -s ../../../srv/dropins etc/systemd/system/kubelet.service.d",
		"an empty one":           "mkdir etc/systemd/system/kubelet.service.d; chmod 700 etc/systemd/system/kubelet.service.d",
		"one with a drop-in":     "mkdir etc/systemd/system/kubelet.service.d; echo '[Service]' > etc/systemd/system/kubelet.service.d/10-x.conf",
	} {
		for way, undo := range map[string]func(w *world){
			"removed": func(w *world) { w.remove() },
			"the way back": func(w *world) {
				first := w.target().Recipe()
				first.Steps = first.Steps[:slices.Index(first.IDs(), "kubelet")+1]
				_, err := first.Run(w.Context(), nil)
				hosttest.Must(w.T, err)
				if !w.target().Held() {
					w.Error("it is not held there")
				}
				for _, it := range w.survey().Ours() {
					if it.Name == inventory.DropIns {
						w.Errorf("it would go: %s", it)
					}
				}
				hosttest.Must(w.T, w.target().Restore(w.Context()))
			},
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.script(plant)
					list := func() string { return w.script("find etc/systemd/system srv -printf '%y %m %p %l\\n' | sort") }
					before := list()
					w.join()
					undo(w)
					if after := list(); after != before {
						w.Errorf("before:\n%s\nafter:\n%s", before, after)
					}
				})
			})
		}
	}
}

// One that a removal has made is named before it goes, and goes only if nothing else came into it.
func TestADirectoryOfDropInsThatARemovalMadeIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		hold := func() {
			first := w.target().Recipe()
			first.Steps = first.Steps[:slices.Index(first.IDs(), "kubelet")+1]
			w.active = "active"
			_, err := first.Run(w.Context(), nil)
			hosttest.Must(w.T, err)
		}
		named := func() bool {
			return slices.ContainsFunc(w.survey().Ours(), func(it inventory.Item) bool { return it.Name == inventory.DropIns })
		}
		hold()
		if !named() {
			w.Error("it goes, and is not named")
		}
		w.script("echo '[Service]' > etc/systemd/system/kubelet.service.d/10-mine.conf")
		if named() {
			w.Error("it is said to go with an administrator's file in it")
		}
		hosttest.Must(w.T, w.target().Restore(w.Context()))
		if !w.exists(inventory.DropIns+"/10-mine.conf") || w.exists("/state/drop-ins-made") {
			w.Errorf("left: %s", w.script("find etc/systemd state"))
		}
		hold()
		hosttest.Must(w.T, w.target().Restore(w.Context()))
		if !w.exists(inventory.DropIns + "/10-mine.conf") {
			w.Error("the administrator's file is gone")
		}
	})
}
