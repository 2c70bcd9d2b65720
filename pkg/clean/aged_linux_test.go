// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"
)

// What is older than the join stays in every directory, also where the directory does not show
// its age: it was written to since on a file system that keeps no births, or it is younger and
// something older was moved into it, or another program made it.
func TestWhatIsOlderStaysInADirectoryThatIsNot(t *testing.T) {
	const unborn = "truncate -s 32M disk.img; mke2fs -q -F -t ext4 -I 128 disk.img; mkdir -p lib; mount -o loop disk.img lib; " +
		"cp -a var/lib/. lib/; umount lib; mount -o loop disk.img var/lib; "
	for name, tc := range map[string]struct{ older, since, file, goes string }{
		"no births, and written to since": {unborn + "mkdir -p var/lib/weave; echo db > FILE; touch -d '2 hours ago' FILE var/lib/weave",
			"echo x > GOES", "var/lib/weave/db", "var/lib/weave/new"},
		"no births, deeper": {unborn + "mkdir -p var/lib/calico/mine; echo db > FILE; " +
			"touch -d '2 hours ago' FILE var/lib/calico/mine var/lib/calico",
			"echo x > GOES; echo x > var/lib/calico/mine/new", "var/lib/calico/mine/db", "var/lib/calico/nodename"},
		"no births, of a driver's": {unborn + "mkdir -p var/lib/kubelet/plugins/a.b; echo d > FILE; " +
			"touch -d '2 hours ago' FILE var/lib/kubelet/plugins/a.b var/lib/kubelet/plugins", "echo x > GOES",
			"var/lib/kubelet/plugins/a.b/data", "var/lib/kubelet/plugins/a.b/new"},
		"no births, beside a driver's": {unborn + "mkdir -p var/lib/kubelet/plugins/a.b; echo d > FILE; " +
			"touch -d '2 hours ago' FILE var/lib/kubelet/plugins/a.b var/lib/kubelet/plugins", "mkdir GOES",
			"var/lib/kubelet/plugins/a.b/data", "var/lib/kubelet/plugins/c.d"},
		"moved into a younger one": {"mkdir -p srv/old; echo d > srv/old/db",
			"mkdir -p var/lib/calico; mv srv/old var/lib/calico/old; echo x > GOES",
			"var/lib/calico/old/db", "var/lib/calico/nodename"},
		"the flannel plugin's, for Nomad": {"mkdir -p var/lib/cni/flannel; echo n > FILE", "echo n > GOES", "var/lib/cni/flannel/nomad",
			"var/lib/cni/flannel/pod"},
		"addresses of a network of that name": {"mkdir -p var/lib/cni/networks/cbr0; echo n > FILE", "echo n > GOES",
			"var/lib/cni/networks/cbr0/10.88.0.5", "var/lib/cni/networks/cbr0/10.244.0.5"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				in := func(s string) string { return strings.NewReplacer("FILE", tc.file, "GOES", tc.goes).Replace(s) }
				w.script(in(tc.older) + "\nborn; old")
				w.join()
				w.script(in(tc.since))
				w.remove()
				if !w.exists("/" + tc.file) {
					w.Errorf("%s is gone", tc.file)
				}
				if w.exists("/" + tc.goes) {
					w.Errorf("%s is left", tc.goes)
				}
			})
		})
	}
}

// A removal that was killed while it wrote its backup has left half of one, with what is in it.
func TestABackupThatWasNotFinishedGoesWithTheNextRemoval(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p var/backups/kubectl-lifecycle; echo key > var/backups/kubectl-lifecycle/.unfinished-123; " +
			"echo whole > var/backups/kubectl-lifecycle/w0-20260101T000000Z.tar.gz")
		w.remove()
		if w.exists("/var/backups/kubectl-lifecycle/.unfinished-123") {
			w.Error("it is left")
		}
		if !w.exists("/var/backups/kubectl-lifecycle/w0-20260101T000000Z.tar.gz") {
			w.Error("a whole one is gone")
		}
	})
}
