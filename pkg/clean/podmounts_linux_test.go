// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// shared is what a container is given to mount in.
func shared(path string) *runtime.Mount {
	return &runtime.Mount{HostPath: path, ContainerPath: "/x", Propagation: runtime.MountPropagation_PROPAGATION_BIDIRECTIONAL}
}

// dead mounts a file system whose program is gone.
func (w *world) dead(dir string) {
	w.Helper()
	w.script("mkdir -p ." + dir)
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	hosttest.Must(w.T, err)
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
	hosttest.Must(w.T, unix.Mount("gone", w.dir+dir, "fuse.gone", 0, options))
	hosttest.Must(w.T, dev.Close())
}

// sinceBoot is how many microseconds after the boot it is.
func sinceBoot(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	hosttest.Must(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return time.Duration(now.Nano()).Microseconds()
}

// refersOf is what a verdict says of each thing that it names.
func refersOf(items []inventory.Item) map[string]string {
	out := map[string]string{}
	for _, it := range items {
		out[it.String()] = it.Refers
	}
	return out
}

// sharesOfPods are what some pods of the world have.
func (w *world) sharesOfPods() {
	w.runtime.Start(
		critest.Pod{Name: "virt", Mounts: []*runtime.Mount{shared("/var/run/kubevirt"), shared("/srv")}},
		critest.Pod{Name: "fuse", Stopped: true, Mounts: []*runtime.Mount{shared("/runtime-mnt")}},
		critest.Pod{Name: "driver", Mounts: []*runtime.Mount{
			shared("/run/nvidia"), shared("/data"), shared("/dev"), shared("/var/lib/kubelet")}},
		critest.Pod{Name: "sub", Mounts: []*runtime.Mount{shared("/var/lib/kubelet/pods/" + uid + "/volume-subpaths/v/app/0")}},
		critest.Pod{Name: "reader", Mounts: []*runtime.Mount{
			{HostPath: "/home", Readonly: true}, {HostPath: "/home"}, shared("no path"), shared("/" + strings.Repeat("x", 5000))}},
	)
}

func TestWhatPodsMountedOnAHostIsNamedWithTheirPods(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`mkdir -p run var/lib/kubelet var/lib/plain srv/old srv/fixed srv/unit home/x data/before data/boot data/since opt/x
ln -s ../run var/run
mount -t tmpfs old srv/old; mount -t tmpfs home home/x; echo "x /srv/fixed tmpfs defaults 0 0" > etc/fstab
mount -t tmpfs fixed srv/fixed; mount -t tmpfs unit srv/unit; printf "[Mount]\nWhere=/srv/unit\n" > etc/systemd/system/u.mount
born; old`)
		w.dead("/opt/x") // an administrator's, and nothing tells since when
		before := w.script("cut -d' ' -f5 /proc/self/mountinfo | sort")
		w.join()
		w.sharesOfPods()
		w.script(`mount -t tmpfs x /var/lib; c=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots; mkdir -p $c/1/fs $c/2/fs $c/2/work
mkdir -p run/kubevirt/daemons/pr srv/new run/nvidia/driver image srv/plain
mount -t tmpfs pr run/kubevirt/daemons/pr; mount -t tmpfs new srv/new
for m in run/nvidia/driver image; do mount -t overlay overlay -o lowerdir=$c/1/fs,upperdir=$c/2/fs,workdir=$c/2/work $m 2>/dev/null ||
mount --bind run/nvidia/driver $m; done
for m in before boot since; do mount --bind home data/$m; done
sub=var/lib/kubelet/pods/` + uid + `/volume-subpaths/v/app/0; mkdir -p plain/sub/in $sub; mount --bind plain/sub $sub
mount -t tmpfs in plain/sub/in`)
		w.dead("/runtime-mnt/juicefs/x")
		w.since = map[string]int64{"basic.target": 1000, "/data/boot": 900, "/data/before": 5000, "/data/since": sinceBoot(t)}
		verdict := w.remove()
		if verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s: %v", verdict.State, verdict.Remaining)
		}
		const could, untold = "pod ns/%s could mount there", ", and nothing tells since when it is there"
		layers := "; it is a container's file system, and keeps its layers in use"
		want := map[string]string{
			"mount /run/kubevirt/daemons/pr": fmt.Sprintf(could, "virt") + untold,
			"mount /srv/new":                 fmt.Sprintf(could, "virt") + untold,
			"mount /run/nvidia/driver":       fmt.Sprintf(could, "driver") + untold + layers,
			"mount /image":                   "it is a container's file system, and keeps its layers in use",
			"mount /data/since":              fmt.Sprintf(could, "driver"),
			"mount /plain/sub/in":            fmt.Sprintf(could, "sub") + untold,
			"mount /runtime-mnt/juicefs/x": fmt.Sprintf(could, "fuse") + untold +
				"; the program that serves it is gone, and whatever looks at it fails",
		}
		if diff := cmp.Diff(want, refersOf(verdict.But)); diff != "" {
			w.Errorf("named (-want +got):\n%s", diff)
		}
		w.script(`umount run/kubevirt/daemons/pr srv/new run/nvidia/driver image data/since data/before data/boot plain/sub/in runtime-mnt/juicefs/x
umount /var/lib`)
		if after := w.script("cut -d' ' -f5 /proc/self/mountinfo | sort"); after != before {
			w.Errorf("mounts (-before +after):\n%s", cmp.Diff(before, after))
		}
		inv := w.survey()
		if again := inventory.Verify(inv, inv); again.State != inventory.Clean {
			w.Errorf("once they are gone: %s, %v", again.State, again.But)
		}
	})
}

// A runtime that says nothing of a container, or too much, is named: what its pods left is
// not known then. And no look waits for a file system that never answers.
func TestWhatPodsWereGivenThatIsNotKnownIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		many := make([]*runtime.Mount, 3000)
		for i := range many {
			many[i] = shared(fmt.Sprintf("/many/%d", i))
		}
		w.runtime.Start(critest.Pod{Name: "flood", Mounts: many}, critest.Pod{Name: "hung", Mounts: []*runtime.Mount{shared("/hung")}})
		for i := range 6 {
			w.stuck(fmt.Sprintf("/hung/%d", i))
		}
		w.script("i=0; mkdir -p many/7; while [ $i -lt 80 ]; do mkdir many/7/$i; mount -t tmpfs x many/7/$i; i=$((i+1)); done")
		verdict := w.remove()
		got := names(verdict.But)
		for _, want := range []string{"directory what pods were given of this host", "mount /many/7/0", "mount /hung/5", "mount more mounts"} {
			if !slices.Contains(got, want) {
				w.Errorf("%s is not named: %v", want, got)
			}
		}
		if len(got) > 70 {
			w.Errorf("%d things are named", len(got))
		}
	})
}

// A pod that was given the whole host could have made every mount: some are named, and how many more
// there are.
func TestMountsBelowAllOfTheHostAreNotAllNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.runtime.Start(critest.Pod{Name: "root", Mounts: []*runtime.Mount{shared("/")}},
			critest.Pod{Name: "own", Mounts: []*runtime.Mount{shared("/own")}})
		w.script("mkdir -p own/x; mount -t tmpfs x own/x; for i in $(seq 30); do mkdir -p many/$i; mount -t tmpfs x many/$i; done")
		verdict := w.remove()
		got := refersOf(verdict.But)
		if len(got) > 24 || got["mount /own/x"] == "" || !strings.Contains(got["mount more mounts below /"],
			"pod ns/root, which was given all of /, could mount there") {
			w.Errorf("%d things are named: %v", len(got), got)
		}
		if refer, _ := verdict.Referring(); inventory.Things(refer) < 31 {
			w.Errorf("%d things refer", inventory.Things(refer))
		}
	})
}

// What is mounted for the virtual machine of a pod goes with the pod: it would keep its volumes. A
// person's machine in the same runtime keeps what it has, and is named.
func TestWhatIsMountedForTheVirtualMachinesOfPodsGoes(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	const volume = "var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e/volumes/kubernetes.io~empty-dir/v"
	for name, tc := range map[string]struct {
		dir, plant string
		stays      bool
	}{
		"a volume of a pod's": {"run/kata-containers/shared/sandboxes/" + id,
			"mkdir -p " + volume + "; mount --bind " + volume + " $s/mounts/v", false},
		"another machine's":         {"run/kata-containers/shared/sandboxes/" + id, "mount --bind srv/data $s/mounts/v", true},
		"of Kata's older directory": {"run/vc/sbs/" + id, "mkdir -p " + volume + "; mount --bind " + volume + " $s/mounts/v", false},
		"a pod's bundle is there": {"run/kata/" + id,
			"mount --bind srv/data $s/mounts/v; mkdir -p $bundle; echo " + criMark + " > $bundle/config.json", false},
		"a person's bundle is there": {"run/kata/" + id,
			"mount --bind srv/data $s/mounts/v; mkdir -p $bundle; echo {} > $bundle/config.json", true},
		"no sandbox's name": {"run/kata/mine", "mount --bind srv/data $s/mounts/v", true},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("s=" + tc.dir + "; bundle=run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id + "; mkdir -p $s/mounts/v; " + tc.plant)
				verdict := w.remove()
				mounted := strings.Contains(w.script("cat /proc/self/mountinfo"), tc.dir)
				named := slices.Contains(but(verdict), "/"+tc.dir+"/mounts/v")
				if mounted != tc.stays || named != (tc.stays && name != "no sandbox's name") || !w.exists("/srv/data/file") {
					w.Errorf("mounted %v, verdict %s, but %v", mounted, verdict.State, verdict.But)
				}
			})
		})
	}
}

// criMark is what the bundle of a pod's container has in it.
const criMark = `'"io.kubernetes.cri.container-type":"sandbox"'`
