// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// images are what a driver keeps below the kubelet's directory, and what an administrator
// has: pvc-1 is mounted for a pod, pvc-2 for nothing, pvc-3 was attached by a driver in a
// container, which has the directory elsewhere, and pvc-4 an administrator has mounted, too.
const images = `touch var/lib/kubelet/cpu_manager_state; mkdir -p sys/dev data inside; ln -s /sys/dev/block sys/dev/block
p=var/lib/kubelet/plugins/csi.example.com/pool; mkdir -p $p srv/looked var/lib/kubelet/plugins/kubernetes.io/csi/x/globalmount
for n in 1 2 3 4; do truncate -s 8M $p/pvc-$n.img; mkfs.ext4 -q $p/pvc-$n.img; done; truncate -s 8M srv/pvc-1.img
mount $(losetup -f --show $p/pvc-1.img) var/lib/kubelet/plugins/kubernetes.io/csi/x/globalmount
losetup -f $p/pvc-2.img; unshare -m sh -c "mount --bind $p inside; losetup -f --show inside/pvc-3.img > driver"
mount $(losetup -f --show $p/pvc-4.img) srv/looked
losetup -f srv/pvc-1.img
`

// attachedHere are the files of this test's loop devices, as the kernel calls them.
func (w *world) attachedHere() []string {
	return strings.Fields(w.script("cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -o '/mnt/.*\\|/inside/.*' | " +
		"sed 's/ (deleted)/-deleted/' | sort"))
}

func TestAVolumesImageThatGoesIsDetachedOnceThatWasChosen(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(images)
		w.Cleanup(func() {
			w.script("umount srv/looked || true; for f in $(grep -l 'pvc-[1-4].img' /sys/block/loop*/loop/backing_file); do " +
				"losetup -d /dev/$(echo $f | cut -d/ -f4) || true; done; losetup -d $(cat driver) 2>/dev/null || true")
		})
		_, err := w.target().Recipe().Run(w.Context(), nil)
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "pool/pvc-") ||
			!strings.Contains(err.Error(), "is a volume's data") || !strings.Contains(plan.HintOf(err), "--delete-host-data") {
			w.Fatalf("it is not refused: %v", err)
		}
		w.choices.DeleteHostData = true
		goes := map[string]bool{}
		for _, it := range inventory.Decide(w.survey()).Objects {
			if it.Kind == inventory.KindBlock {
				goes[it.In[strings.LastIndex(it.In, "/")+1:]] = true
			}
		}
		if diff := cmp.Diff(map[string]bool{"pvc-1.img": true, "pvc-2.img": true, "pvc-3.img": true}, goes); diff != "" {
			w.Errorf("what goes (-want +got):\n%s", diff)
		}
		if got := strings.Join(names(w.survey().With(inventory.Stays)), "\n"); strings.Contains(got, "loop devices on files") {
			w.Errorf("something was not looked at: %s", got)
		}
		verdict := w.remove()
		if len(verdict.But) != 1 || !strings.Contains(verdict.But[0].String(), "pool/pvc-4.img") || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s: %v, %v", verdict.State, verdict.But, verdict.Remaining)
		}
		if diff := cmp.Diff([]string{"/mnt/srv/pvc-1.img", "/mnt/var/lib/kubelet/plugins/csi.example.com/pool/pvc-4.img-deleted"},
			w.attachedHere()); diff != "" {
			w.Errorf("what is attached (-want +got):\n%s", diff)
		}
		if got := w.script("losetup -n -O BACK-FILE $(cat driver) 2>/dev/null || true"); strings.Contains(got, "pvc-3") {
			w.Errorf("a driver's is still attached: %s", got)
		}
		w.script("d=$(findmnt -n -o SOURCE /mnt/srv/looked); umount srv/looked; losetup -d $d")
		inv := w.survey()
		if again := inventory.Verify(inv, inv); again.State != inventory.Clean {
			w.Errorf("once it is detached: %s, %v", again.State, again.But)
		}
	})
}

func TestADeviceThatAVolumeWasOnAndThatIsStillAttachedIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p sys/dev srv/img var/lib/kubelet/pods/` + uid + `/volumes/x
mkdir -p var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/pvc-9/dev
ln -s /sys/dev/block sys/dev/block
for n in 5 6; do truncate -s 8M srv/img/pvc-$n.img; done; mkfs.ext4 -q srv/img/pvc-5.img
mount $(losetup -f --show srv/img/pvc-5.img) var/lib/kubelet/pods/` + uid + `/volumes/x
d=var/lib/kubelet/plugins/kubernetes.io/csi/volumeDevices/pvc-9/dev/u1; touch $d; mount --bind $(losetup -f --show srv/img/pvc-6.img) $d`)
		detach := "for f in $(grep -l '/mnt/srv/img/pvc-[56].img' /sys/block/loop*/loop/backing_file); do " +
			"losetup -d /dev/$(echo $f | cut -d/ -f4); done"
		w.Cleanup(func() { w.script(detach + " || true") })
		verdict := w.remove()
		got := map[string]string{}
		for _, it := range verdict.But {
			got[string(it.Kind)+" "+it.In] = it.Detail + ": " + it.Refers
		}
		const k = "/var/lib/kubelet/"
		if diff := cmp.Diff(map[string]string{
			"block-device /mnt/srv/img/pvc-5.img": "loop device: the volume at " + k + "pods/" + uid + "/volumes/x was on it",
			"block-device /mnt/srv/img/pvc-6.img": "loop device: the volume at " + k +
				"plugins/kubernetes.io/csi/volumeDevices/pvc-9/dev/u1 was on it",
		}, got); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s %v (-want +got):\n%s", verdict.State, verdict.Remaining, diff)
		}
		w.script(detach)
		inv, err := w.target().Survey(w.Context())
		hosttest.Must(t, err)
		if again := inventory.Verify(inv, inv); again.State != inventory.Clean {
			w.Errorf("once they are detached: %s, %v", again.State, again.But)
		}
	})
}

// A driver's directory without end, and a loop device that may be on a file in it: the look
// says that it has not seen all, and the removal goes on.
func TestADirectoryWithoutEndDoesNotKeepARemovalFromItsEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p inside var/lib/kubelet/pods/u1/many; cd var/lib/kubelet/pods/u1/many; seq 51000 | xargs touch; cd /mnt
truncate -s 8M srv/x.img; unshare -m sh -c "mount --bind srv inside; losetup -f --show inside/x.img > driver"`)
		w.Cleanup(func() { w.script("losetup -d $(cat driver)") })
		before := w.survey()
		if got := names(before.With(inventory.Stays)); !strings.Contains(strings.Join(got, "\n"), "block-device loop devices on files that go") {
			w.Errorf("it is not said that not all was seen: %v", got)
		}
		if v := w.remove(); v.State != inventory.Clean {
			w.Errorf("the verdict is %+v", v)
		}
	})
}
