// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
)

// writable is what a container is given to write in.
func writable(paths ...string) (out []*runtime.Mount) {
	for _, path := range paths {
		out = append(out, &runtime.Mount{HostPath: path, ContainerPath: "/x"})
	}
	return out
}

func TestSettingsAndProgramsThatAPodMayHaveWrittenAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`mkdir -p etc/containerd/conf.d etc/udev/rules.d etc/cron.d etc/modprobe.d etc/sysctl.d etc/agent etc/ssh
mkdir -p opt/old usr/local/bin run srv/pg
echo v=1 > etc/containerd/config.toml; echo old > etc/containerd/conf.d/10-old.toml; echo old > etc/udev/rules.d/10-old.rules
echo old > etc/cron.d/old; echo old > etc/sysctl.d/10-old.conf; born; old`)
		before := w.dump()
		w.join()
		w.runtime.Start(
			critest.Pod{Name: "kata", Stopped: true, Mounts: writable("/etc/containerd", "/opt/kata", "/etc/systemd/system")},
			critest.Pod{Name: "udev", Mounts: append(writable("/etc/udev", "/etc/agent", "/usr/local", "/root/.ssh"),
				&runtime.Mount{HostPath: "/etc/sysctl.d", Readonly: true})},
			critest.Pod{Name: "sub", Mounts: writable("/var/lib/kubelet/pods/"+uid+"/volume-subpaths/v/app/0", "/etc/cron.d/pods",
				"/etc/cni/net.d", "/opt/cni/bin", "/etc/kubernetes/pki", "/srv/pg")},
		)
		w.script(`echo 'imports = []' >> etc/containerd/config.toml; echo kata > etc/containerd/conf.d/kata.toml
mkdir -p opt/kata/bin opt/kata/share
echo shim > opt/kata/bin/containerd-shim-kata-v2; chmod 755 opt/kata/bin/*
echo data > opt/kata/share/image; chmod 644 etc/containerd/conf.d/10-old.toml
mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system/containerd.service.d root/.ssh etc/cron.d
echo unit > etc/systemd/system/sriov.service; ln -s ../sriov.service etc/systemd/system/multi-user.target.wants/sriov.service
echo dropin > etc/systemd/system/containerd.service.d/gpu.conf; touch -d 2001-01-01 etc/systemd/system/copied.service
echo rule > etc/udev/rules.d/90-pod.rules; echo word > etc/agent/agent.conf; echo key > root/.ssh/authorized_keys
echo tool > usr/local/bin/tool; chmod 755 usr/local/bin/tool; echo notes > usr/local/bin/README; echo job > etc/cron.d/pods
sub=var/lib/kubelet/pods/` + uid + `/volume-subpaths/v/app/0; mkdir -p $sub; mount --bind etc/modprobe.d $sub; echo mod > etc/modprobe.d/gpu.conf
echo mine > etc/sysctl.d/90-mine.conf; echo mine > etc/cron.d/mine; echo mine > etc/ssh/mine; echo data > srv/pg/data; chmod 755 srv/pg/data
mkfifo etc/udev/rules.d/pipe; echo x > etc/kubectl-lifecycle`)
		verdict := w.remove()
		want := map[string]string{}
		add := func(pod, how string, paths ...string) {
			for _, path := range paths {
				want["file "+path] = fmt.Sprintf("%s since the join, and pod ns/%s could write there", how, pod)
			}
		}
		const units = "/etc/systemd/system/"
		add("kata", "changed", "/etc/containerd/config.toml", "/etc/containerd/conf.d/10-old.toml")
		add("kata", "made", "/etc/containerd/conf.d/kata.toml", "/opt/kata/bin/containerd-shim-kata-v2", units+"sriov.service",
			units+"multi-user.target.wants/sriov.service", units+"containerd.service.d/gpu.conf", units+"copied.service")
		add("udev", "made", "/etc/udev/rules.d/90-pod.rules", "/etc/agent/agent.conf", "/root/.ssh/authorized_keys")
		add("udev, which was given all of /usr/local,", "made", "/usr/local/bin/tool")
		add("sub", "made", "/etc/cron.d/pods", "/etc/modprobe.d/gpu.conf")
		if diff := cmp.Diff(want, refersOf(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s, named (-want +got):\n%s", verdict.State, diff)
		}
		for name := range want {
			if path := strings.TrimPrefix(name, "file "); !strings.HasPrefix(want[name], "changed") { // those were there before
				w.script("rm ." + path)
			}
		}
		w.script(`rm -r opt/kata root etc/systemd/system/multi-user.target.wants etc/systemd/system/containerd.service.d usr/local/bin/README \
etc/sysctl.d/90-mine.conf etc/cron.d/mine etc/ssh/mine srv/pg/data etc/udev/rules.d/pipe etc/kubectl-lifecycle
echo v=1 > etc/containerd/config.toml; touch -d 2001-01-01 etc/containerd/config.toml`)
		inv := w.survey() // the kernel's time of a change cannot be set back
		left := []string{"file /etc/containerd/conf.d/10-old.toml", "file /etc/containerd/config.toml"}
		if diff := cmp.Diff(left, names(inventory.Verify(inv, inv).But)); diff != "" {
			w.Errorf("once they are gone (-want +got):\n%s", diff)
		}
		w.same(before)
	})
}

func TestAPodThatMakesFilesWithoutEndIsNamedAndEndsNoLook(t *testing.T) {
	for share, tc := range map[string]struct {
		fewest, most int
		named        string
	}{
		"/etc/udev": {60, 70, "directory /etc/udev"},
		"/":         {17, 24, "file more files below /"}, // nearly nothing that is there is the pod's
		"/etc":      {17, 24, "file more files below /etc"},
	} {
		t.Run(strings.ReplaceAll(share, "/", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.runtime.Start(critest.Pod{Name: "flood", Mounts: writable(share)})
				w.script(`mkdir -p etc/udev/rules.d etc/cron.d; cd etc/udev/rules.d; seq 100 | xargs touch
cd ../../cron.d; mkdir -p 1/2/3/4/5/6/7; touch 1/2/3/4/5/6/7/8`)
				verdict := w.remove()
				got := names(verdict.But)
				if len(got) < tc.fewest || len(got) > tc.most || !slices.Contains(got, tc.named) {
					w.Errorf("%d things are named: %v", len(got), got)
				}
				if refer, unseen := verdict.Referring(); share != "/etc/udev" && inventory.Things(refer) < 100 {
					w.Errorf("%d things refer, %d were not looked at", inventory.Things(refer), inventory.Things(unseen))
				}
			})
		})
	}
}

// A pod that was given the directory of plugins writes more there than its network's own: what the
// next network runs as root.
func TestPluginsThatPodsWroteAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		shares []string
		want   map[string]string
	}{
		"a pod has the directory": {[]string{"/opt/cni/bin"}, map[string]string{
			"file /opt/cni/bin/bandwidth": "made since the join, and pod ns/calico could write there",
			"file /opt/cni/bin/bridge":    "changed since the join, and pod ns/calico could write there",
		}},
		"a pod has all of /opt/cni": {[]string{"/opt/cni"}, map[string]string{
			"file /opt/cni/bin/bandwidth": "made since the join, and pod ns/calico could write there",
			"file /opt/cni/bin/bridge":    "changed since the join, and pod ns/calico could write there",
			"file /opt/cni/lib/helper":    "made since the join, and pod ns/calico could write there",
		}},
		"no pod has it": {[]string{"/srv/data"}, map[string]string{}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("chmod 755 opt/cni/bin/*; born; old")
				w.join()
				w.runtime.Start(critest.Pod{Name: "calico", Mounts: writable(tc.shares...)})
				w.script(`echo x > opt/cni/bin/bandwidth; echo x > opt/cni/bin/calico; echo other > opt/cni/bin/bridge
chmod 755 opt/cni/bin/bandwidth opt/cni/bin/calico; echo words > opt/cni/bin/README; mkdir opt/cni/lib; echo x > opt/cni/lib/helper
chmod 755 opt/cni/lib/helper`)
				verdict := w.remove()
				if diff := cmp.Diff(tc.want,
					refersOf(verdict.But)); diff != "" || w.exists("/opt/cni/bin/calico") || w.exists("/opt/cni/bin/flannel") {
					w.Errorf("verdict %s, named (-want +got):\n%s", verdict.State, diff)
				}
			})
		})
	}
}
