// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// found are the things of an inventory whose names hold a text, as "fate name".
func found(t *testing.T, dir, text string) []string {
	t.Helper()
	inv, err := clean.Target{Host: host.Local{Root: dir}}.Survey(t.Context())
	hosttest.Must(t, err)
	var out []string
	for _, it := range inv.Items {
		if strings.Contains(it.Name, text) {
			out = append(out, string(it.Fate)+" "+it.Name)
		}
	}
	return out
}

func TestOnAnOverlayADirectoryThatWasThereBeforeStays(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		hosttest.Script(t, `cd `+dir+`; mkdir -p lower/etc/kubernetes/manifests lower/var/lib lower/usr/libexec upper work root
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root; cd root
mkdir -p etc/kubernetes/pki var/lib/kubelet/pki usr/libexec/kubernetes/kubelet-plugins/volume/exec
touch etc/kubernetes/pki/ca.crt etc/kubernetes/kubelet.conf etc/kubernetes/manifests/x.yaml var/lib/kubelet/config.yaml`)
		got := strings.Join(found(t, dir+"/root", "/"), "\n") + "\n"
		for _, goes := range []string{"/etc/kubernetes/pki", "/etc/kubernetes/kubelet.conf", "/etc/kubernetes/manifests/x.yaml",
			"/usr/libexec/kubernetes"} {
			if !strings.Contains(got, string(inventory.Goes)+" "+goes+"\n") {
				t.Errorf("%s does not go:\n%s", goes, got)
			}
		}
		for _, stays := range []string{"/etc/kubernetes", "/etc/kubernetes/manifests"} {
			if strings.Contains(got, string(inventory.Goes)+" "+stays+"\n") {
				t.Errorf("%s goes, and was there before:\n%s", stays, got)
			}
		}
	})
}

func TestAStaticPodThatIsOlderThanTheJoinStays(t *testing.T) {
	dir := t.TempDir()
	hosttest.Script(t, `cd `+dir+`; mkdir -p etc/kubernetes/manifests/more etc/kubernetes/pki var/lib/kubelet run tmp
cd etc/kubernetes/manifests
echo 'kind: Pod' > own.yaml; touch etcd.yaml kube-apiserver.yaml kube-controller-manager.yaml kube-scheduler.yaml
touch .hidden kube-scheduler.yaml.bak`)
	const at = "/etc/kubernetes/manifests/"
	born, err := host.Local{Root: dir}.Born(at + "own.yaml")
	hosttest.Must(t, err)
	for _, tc := range []struct {
		name   string
		joined time.Time
		stays  string
	}{
		{"older than the join: a person's, but kubeadm's names", born.Add(time.Hour), ".hidden kube-scheduler.yaml.bak more own.yaml"},
		{"younger than the join", born.Add(-time.Hour), ""},
		{"made by the join, as its first file", born.Add(100 * time.Millisecond), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inv, err := clean.Target{Host: host.Local{Root: dir}, Facts: inventory.Facts{Joined: tc.joined}}.Survey(t.Context())
			hosttest.Must(t, err)
			var stays, goes []string
			for _, it := range inv.Items {
				switch name, is := strings.CutPrefix(it.Name, at); {
				case is && it.Fate == inventory.Stays:
					stays = append(stays, name)
				case is:
					goes = append(goes, name)
				}
			}
			slices.Sort(stays)
			if got := strings.Join(stays, " "); got != tc.stays || len(stays)+len(goes) != 8 {
				t.Errorf("%q stay, want %q; %q go", got, tc.stays, goes)
			}
		})
	}
}

func TestAStaticPodThatStaysDoesNotKeepAHostFromJoiningAgain(t *testing.T) {
	dir := t.TempDir()
	hosttest.Script(t, `cd `+dir+`; mkdir -p etc/kubernetes/manifests var/lib/kubelet run tmp
echo 'kind: Pod' > etc/kubernetes/manifests/own.yaml`)
	blocked := func() bool {
		inv, err := clean.Target{Host: host.Local{Root: dir}, Facts: inventory.Facts{Joined: time.Now().Add(time.Hour)}}.Survey(t.Context())
		hosttest.Must(t, err)
		return slices.Contains(inv.Blocking, "/etc/kubernetes/manifests is not empty")
	}
	if blocked() {
		t.Error("a static pod that was there before the join blocks the next one")
	}
	hosttest.Script(t, "touch "+dir+"/etc/kubernetes/manifests/etcd.yaml")
	if !blocked() {
		t.Error("a static pod of kubeadm's that is still there blocks no join")
	}
}

func TestCgroupsOfAClusterInContainersAreNotOurs(t *testing.T) {
	for name, tc := range map[string]struct{ make, config, want string }{
		"the cgroupfs driver": {"memory/kubepods cpu/kubepods", "", "/sys/fs/cgroup/cpu/kubepods /sys/fs/cgroup/memory/kubepods"},
		"systemd's driver":    {"kubepods.slice/kubepods-burstable.slice", "", "/sys/fs/cgroup/kubepods.slice"},
		"kind's kubelet":      {"kubelet.slice/kubelet-kubepods.slice/x", "", "/sys/fs/cgroup/kubelet.slice/kubelet-kubepods.slice"},
		"a root of its own": {"a.slice/a-b.slice/a-b-kubepods.slice memory/a/b/kubepods", "cgroupRoot: /a/b",
			"/sys/fs/cgroup/a.slice/a-b.slice/a-b-kubepods.slice /sys/fs/cgroup/memory/a/b/kubepods"},
		"k3s in a container of Docker": {"docker/0123/kubepods memory/docker/0123/kubepods", "", ""},
		"the same, with systemd": {"system.slice/docker-0123.scope/kubepods " +
			"system.slice/docker-0123.scope/kubelet.slice/kubelet-kubepods.slice", "", ""},
		"a slice that is only so named": {"user.slice/my-kubepods.slice", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			hosttest.Script(t, `cd `+dir+`; mkdir -p etc var/lib/kubelet sys/fs/cgroup
echo '`+tc.config+`' > var/lib/kubelet/config.yaml; cd sys/fs/cgroup; mkdir -p `+tc.make)
			got := strings.ReplaceAll(strings.Join(found(t, dir, "/sys/fs/cgroup"), " "), string(inventory.Goes)+" ", "")
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestThePodThatOneLooksThroughIsNoLeftover(t *testing.T) {
	dir := t.TempDir()
	critest.Serve(t, dir+"/run/containerd/containerd.sock", critest.Pod{Name: "web"}, critest.Pod{Name: "look", HostNetwork: true})
	hosttest.Script(t, `cd `+dir+`; mkdir -p sys/fs/cgroup/kubepods/pod1/c-look sys/fs/cgroup/kubepods/pod2/stray
echo 424242 > sys/fs/cgroup/kubepods/pod1/c-look/cgroup.procs; echo 434343 > sys/fs/cgroup/kubepods/pod2/stray/cgroup.procs`)
	for door, want := range map[string]string{
		"":       "app c-look; app c-web; look look; web web; process in stray",
		"c-look": "app c-web; web web; process in stray",
	} {
		inv, err := clean.Target{Host: host.Local{Root: dir}, Door: door}.Survey(t.Context())
		hosttest.Must(t, err)
		var got, processes []string
		for _, it := range inv.Items {
			if it.Kind == inventory.KindSandbox || it.Kind == inventory.KindContainer {
				got = append(got, filepath.Base(it.Name)+" "+it.ID)
			}
			if it.Kind == inventory.KindProcess {
				processes = append(processes, "process in "+filepath.Base(it.In))
			}
		}
		slices.Sort(got)
		slices.Sort(processes)
		if text := strings.Join(append(got, processes...), "; "); text != want {
			t.Errorf("through %q: %s", door, text)
		}
	}
}
