// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// Where a look stops, for its bounds or since something cannot be read, the verdict says
// so and is not "clean".
func TestAVerdictSaysWhatWasNotLookedAt(t *testing.T) {
	for name, tc := range map[string]struct{ plant, named, why string }{
		"directories below each other without end": {
			plant: `d=etc/deep; for i in $(seq 40); do d=$d/x; done; mkdir -p $d`,
			named: "/etc/deep" + strings.Repeat("/x", 24), why: "deeper than 24 directories below /etc",
		},
		"more settings than are read": {
			plant: `mkdir -p etc/dnsmasq.d; for i in $(seq 518); do echo > etc/dnsmasq.d/$i; done`,
			named: "/etc/dnsmasq.d/*", why: "there are 6 more files than are read",
		},
		"a certificate that is too large to be the cluster's": {
			plant: `head -c 1100000 /dev/zero > etc/kubernetes/pki/ca.crt`,
			named: "what refers to the cluster", why: "nothing tells for certain which it was",
		},
		"a kubeconfig that is too large": {
			plant: `head -c 1100000 /dev/zero >> etc/kubernetes/kubelet.conf`,
			named: "what refers to the cluster", why: "nothing tells for certain which it was",
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(tc.plant)
				inv := w.survey()
				found := false
				for _, it := range inv.Items {
					found = found || it.Name == tc.named && strings.HasPrefix(it.Refers, "not looked at: ") && strings.Contains(it.Refers, tc.why)
				}
				verdict := inventory.Verify(inv, inventory.Inventory{Items: inv.With(inventory.Stays)})
				if !found || verdict.State != inventory.CleanBut {
					t.Errorf("%s: %+v", verdict.State, verdict.But)
				}
			})
		})
	}
}

// A dead server of files hangs whoever looks: a mount of one is told by the kernel's list
// of mounts, and not looked at.
func TestAMountOfADeadServerIsNamedAndNotLookedAt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p etc/kubernetes/theirs")
		dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		hosttest.Must(w.T, err)
		defer func() { _ = dev.Close() }()
		options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
		hosttest.Must(w.T, unix.Mount("dead", w.dir+"/etc/kubernetes/theirs", "fuse.dead", 0, options))
		looked := make(chan inventory.Inventory, 1)
		go func() {
			inv, _ := w.target().Survey(w.Context())
			looked <- inv
		}()
		select {
		case inv := <-looked:
			if !slices.ContainsFunc(inv.Items, func(it inventory.Item) bool {
				return it.Name == "/etc/kubernetes/theirs" && strings.HasPrefix(it.Refers, "not looked at: ")
			}) {
				w.Errorf("it is not named: %+v", inv.Items)
			}
		case <-time.After(time.Minute):
			w.Error("the look hangs")
		}
	})
}
