// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// A process with mounts of its own (a container of Docker's that was given the
// whole host) has the pods' volumes, too, and unmounting them on the host does
// not reach it (containerd#3667, node_exporter#602). Removing the directory that
// they are mounted on does, since Linux 3.18: nothing is mounted any more, and
// nothing on a volume is deleted.
func TestAVolumeIsUnmountedForEverybody(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("truncate -s 32M disk; mkfs.ext4 -q disk; mkdir -p var/lib/kubelet/pods/u1/volumes/disk; mount -o loop disk " +
			"var/lib/kubelet/pods/u1/volumes/disk; echo precious > var/lib/kubelet/pods/u1/volumes/disk/data; sync")
		other := exec.CommandContext(w.Context(), "sleep", "1000")
		other.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
		hosttest.Must(w.T, other.Start())
		theirs := func() string { return w.script(fmt.Sprintf("cat /proc/%d/mountinfo", other.Process.Pid)) }
		if n := strings.Count(theirs(), "/var/lib/kubelet/pods/"); n < 3 {
			w.Fatalf("it has only %d of the pods' mounts", n)
		}
		if v := w.remove(); v.State != inventory.Clean {
			w.Errorf("the verdict is %+v", v)
		}
		if strings.Contains(theirs(), "/var/lib/kubelet/") {
			w.Errorf("it still has mounts of pods:\n%s", theirs())
		}
		if !strings.Contains(theirs(), "/mnt/etc/resolv.conf") {
			w.Errorf("it lost a mount that is none of ours:\n%s", theirs())
		}
		if got := w.script("losetup -j disk; mkdir again; mount -o loop disk again; cat again/data; umount again"); got != "precious\n" {
			w.Errorf("a loop device is still in use, or the data is gone: %q", got)
		}
	})
}
