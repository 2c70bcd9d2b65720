// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// uid is a pod's.
const uid = "0a1b2c3d-1111-2222-3333-444455556666"

// mountClasses are ways to have something of somebody's at $m; each leaves "precious"
// to be read by check, in which $m is not mounted any more. A file system in memory is
// gone with its mount: as a pod's volume it has nothing that is to stay. A remote one is
// a server's, which tells whether it was asked to change anything.
var mountClasses = []struct{ name, mount, check string }{
	{"disk", `truncate -s 16M srv/$n.img; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 srv/$n.img; mount -o loop srv/$n.img $m
echo precious > $m/file; sync -f $m`, `mkdir -p again; mount -o loop srv/$n.img again; cat again/file; umount again`},
	{"memory", `mount -t tmpfs theirs $m; echo precious > $m/file`, ``},
	{"overlay", `mkdir -p srv/$n.l srv/$n.u srv/$n.w; mount -t overlay overlay -o lowerdir=srv/$n.l,upperdir=srv/$n.u,workdir=srv/$n.w $m
echo precious > $m/file`, `cat srv/$n.u/file`},
	{"bind", `mkdir -p srv/$n; echo precious > srv/$n/file; mount --bind srv/$n $m`, `cat srv/$n/file`},
	{"rbind", `mkdir -p srv/$n/in; mount -t tmpfs inner srv/$n/in; echo precious > srv/$n/in/file; mount --rbind srv/$n $m
mount --make-rshared $m`, `cat srv/$n/in/file`},
	{"bind of a disk", `truncate -s 16M srv/$n.img; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 srv/$n.img; mkdir -p srv/$n
mount -o loop srv/$n.img srv/$n; mkdir srv/$n/sub; echo precious > srv/$n/sub/file; sync -f srv/$n; mount --bind srv/$n/sub $m`,
		`cat srv/$n/sub/file`},
	{remote, ``, ``},
}

// remote is the class that no script mounts.
const remote = "remote"

// mountWays are how a mount may have been written down by whoever made it.
var mountWays = []struct{ name, write string }{
	{"by hand", ``},
	{"in fstab", `echo "x /$m none bind 0 0" >> etc/fstab`},
	{"in fstab, with a blank in its path", `mkdir -p "$m b"; mount --bind srv/data "$m b"; echo "x /$m\\040b none bind 0 0" >> etc/fstab`},
	{"as a mount unit", `printf "[Mount]\nWhat=x\nWhere=/$m\n" > etc/systemd/system/$n.mount`},
	{"as an automount unit of a package",
		`mkdir -p usr/lib/systemd/system; printf "[Automount]\nWhere=/$m/\n" > usr/lib/systemd/system/$n.automount`},
}

// rootLayouts are how an administrator may have laid out a kubelet's root before the join.
var rootLayouts = []struct{ name, before string }{
	{"a directory", ``},
	{"a link", `mkdir -p data/kubelet var/lib; ln -s ../../data/kubelet var/lib/kubelet`},
	{"a disk", `mkdir -p var/lib/kubelet; mount -t tmpfs disk var/lib/kubelet`},
	{"pods that are a link", `mkdir -p srv/pods/theirs var/lib/kubelet; echo precious > srv/pods/theirs/file
ln -s ../../../srv/pods var/lib/kubelet/pods`},
	{"pods that are a disk", `mkdir -p var/lib/kubelet/pods; mount -t tmpfs disk var/lib/kubelet/pods; mkdir var/lib/kubelet/pods/theirs
echo precious > var/lib/kubelet/pods/theirs/file`},
}

// plant mounts one of each class below a directory.
func (w *world) plant(below, write string) (remotes []*server) {
	w.Helper()
	for i, class := range mountClasses {
		if class.name == remote {
			remotes = append(remotes, w.live(fmt.Sprintf("/%s/%s-%d", below, strings.ReplaceAll(below, "/", "_"), i)))
		}
		w.script(fmt.Sprintf("n=%s-%d; m=%s/$n; mkdir -p $m\n%s\n%s", strings.ReplaceAll(below, "/", "_"), i, below, class.mount, write))
	}
	return remotes
}

// untouched checks that no server was asked to change anything.
func (w *world) untouched(remotes []*server) {
	w.Helper()
	for i, s := range remotes {
		if n := s.changed(); n > 0 || s.asked[26].Load() == 0 {
			w.Errorf("server %d was asked %d times to change something, and %d times to begin", i, n, s.asked[26].Load())
		}
	}
}

// precious checks the data of each class.
func (w *world) precious(below string, mounted bool) {
	w.Helper()
	for i, class := range mountClasses {
		check := class.check
		if mounted {
			check = "cat $m/file 2>/dev/null || cat $m/in/file"
		}
		n := fmt.Sprintf("%s-%d", strings.ReplaceAll(below, "/", "_"), i)
		if got := w.script(fmt.Sprintf("n=%s; m=%s/$n\n%s", n, below, check)); got != "precious\n" && check != "" {
			w.Errorf("%s below %s: its data is %q", class.name, below, got)
		}
	}
}

// Every class of mount, in every way it can be there, at a name that no kubelet makes,
// in a pod's volume, and in a pod's subPath.
func TestNoDataIsDeletedThroughAMount(t *testing.T) {
	const root, pod, theirs = "var/lib/kubelet", "var/lib/kubelet/pods/" + uid, "grep -c 'kubelet.*/theirs-' /proc/self/mountinfo"
	for _, layout := range rootLayouts {
		t.Run(layout.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(layout.before + "\nborn; old")
				w.join()
				var remotes []*server
				for i, way := range mountWays {
					remotes = append(remotes, w.plant(fmt.Sprintf("%s/theirs-%d", root, i), way.write)...)
				}
				remotes = append(remotes, w.plant(pod+"/volumes/x", "")...)
				remotes = append(remotes, w.plant(pod+"/volume-subpaths/x", "")...)
				before := w.script(theirs)
				verdict := w.remove()
				if verdict.State != inventory.Clean || len(verdict.Lost)+len(verdict.Changed) > 0 {
					w.Errorf("verdict: %+v", verdict)
				}
				for i := range mountWays {
					w.precious(fmt.Sprintf("%s/theirs-%d", root, i), true)
				}
				w.precious(pod+"/volumes/x", false)
				w.precious(pod+"/volume-subpaths/x", false)
				if after := w.script(theirs); after != before {
					w.Errorf("%s mounts of others before, %s after", before, after)
				}
				if strings.Contains(layout.before, "precious") && w.script("cat var/lib/kubelet/pods/theirs/file") != "precious\n" {
					w.Error("what was beside the pods is gone")
				}
				if left := w.script("find var/lib/kubelet/ srv data -path '*/theirs-*' -prune -o -name " + uid + " -print 2>/dev/null || true; " +
					"grep -c /pods/" + uid + " /proc/self/mountinfo || true"); left != "0\n" {
					w.Errorf("left of the pods: %q", left)
				}
				w.untouched(remotes)
			})
		})
	}
}

// At the kubelet's own directories, only a disk of its own is emptied. Everything else
// is a reason not to begin.
func TestAMountWhereAKubeletKeepsItsOwnIsRefusedBeforeAnythingChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p var/lib/kubelet/plugins/x.example.com var/lib/kubelet/checkpoints")
		before := w.dump()
		for i, c := range []struct{ at, write string }{
			{"plugins", ""}, {"checkpoints", ""}, {"pods", ""}, {"pods/" + uid, `echo "x /$m none bind 0 0" >> etc/fstab`},
			{"plugins/x.example.com", `printf "[Mount]\nWhere=/$m\n" > etc/systemd/system/x.mount`},
		} {
			for _, class := range mountClasses {
				if c.write == "" && (class.name == "disk" || class.name == "memory") {
					continue // emptied
				}
				var servers []*server
				if class.name == remote {
					servers = append(servers, w.live("/var/lib/kubelet/"+c.at))
				}
				w.script(fmt.Sprintf("n=at%d; m=var/lib/kubelet/%s; mkdir -p $m\n%s\n%s", i, c.at, class.mount, c.write))
				mounted := w.dump()
				_, err := w.target().Recipe().Run(w.Context(), nil)
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "/var/lib/kubelet/"+c.at+" is a mount of an administrator's") ||
					plan.HintOf(err) == "" {
					w.Errorf("%s at %s: got %v", class.name, c.at, err)
				}
				w.same(mounted)
				w.untouched(servers)
				w.script(fmt.Sprintf("n=at%d; umount -R -l var/lib/kubelet/%s; for m in srv/$n srv/$n/in; do umount -l $m 2>/dev/null || true; done; "+
					"rm -rf srv/$n srv/$n.*; rm -f etc/fstab etc/systemd/system/x.mount", i, c.at))
			}
			w.script("rm -rf var/lib/kubelet/pods/" + uid)
		}
		w.same(before)
		if len(w.ran) > 0 {
			w.Errorf("ran %v", w.ran)
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("once nothing is in the way: %+v", verdict)
		}
	})
}

// The same is true of directories of networks and of logs, which go with all that is
// in them.
func TestAMountInADirectoryThatGoesWholeIsRefusedBeforeAnythingChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		for at, mount := range map[string]string{
			"/var/lib/calico/theirs": "mount --bind srv/data $m", "/var/log/pods": "mount -t tmpfs theirs $m", "/etc/kubernetes/tmp/x": "mount " +
				"--bind srv/data $m",
		} {
			w.script("m=." + at + "; mkdir -p $m; " + mount)
			before := w.dump()
			_, err := w.target().Recipe().Run(w.Context(), nil)
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), at+" is a mount of an administrator's") || len(w.ran) > 0 {
				w.Errorf("%s: got %v, ran %v", at, err, w.ran)
			}
			w.same(before)
			w.script("umount ." + at)
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
	})
}

// A server that does not answer: neither a look nor a removal may hang on it, and it
// stays mounted.
func TestARemoteMountOfOthersIsNotLookedAt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p var/lib/kubelet/shared mnt/dead; echo "x /var/lib/kubelet/shared nfs defaults 0 0
x /mnt/dead nfs defaults 0 0" > etc/fstab`)
		for _, at := range []string{"/var/lib/kubelet/shared", "/mnt/dead"} {
			dead, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
			hosttest.Must(w.T, err)
			w.Cleanup(func() { _ = dead.Close() })
			hosttest.Must(w.T, unix.Mount("dead", w.dir+at, "fuse.dead", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dead.Fd())))
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if got := strings.Count(w.script("cat /proc/self/mountinfo"), "fuse.dead"); got != 2 {
			w.Errorf("%d of them are mounted", got)
		}
		items := w.survey().With(inventory.Stays)
		if !slices.ContainsFunc(items, func(it inventory.Item) bool {
			return it.Kind == inventory.KindMount && it.Name == "/var/lib/kubelet/shared"
		}) {
			w.Errorf("it is not named: %v", items)
		}
	})
}

// In the namespace of pods people run containers of their own, too (nerdctl -n k8s.io,
// containerd/nerdctl#329): whose the root of one is, its bundle tells. One without a bundle
// is what a containerd has left that was killed.
func TestTheRootOfAContainerThatIsNoPodsStaysMounted(t *testing.T) {
	inWorld(t, func(w *world) {
		const tasks = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/"
		w.join()
		for id, bundle := range map[string]string{
			"mine":  `{"annotations":{"nerdctl/name":"mydb"}}`,
			"pod":   `{"annotations":{"io.kubernetes.cri.container-type":"container"}}`,
			"stale": "",
		} {
			w.script("mkdir -p ." + tasks + id + "/rootfs; mount -t tmpfs root ." + tasks + id + "/rootfs; echo x > ." + tasks + id + "/rootfs/x")
			if bundle != "" {
				w.put(tasks+id+"/config.json", bundle)
			}
		}
		verdict := w.remove()
		left := w.script("grep -o '" + tasks + "[a-z]*' /proc/self/mountinfo || true")
		if verdict.State != inventory.Clean || left != tasks+"mine\n" {
			w.Errorf("verdict %+v, left %q", verdict, left)
		}
		named := slices.ContainsFunc(w.survey().Items, func(it inventory.Item) bool {
			return it.Name == tasks+"mine/rootfs" && it.Fate == inventory.Stays && strings.Contains(it.Why, "no pod")
		})
		if !named {
			w.Error("it is not named")
		}
	})
}
