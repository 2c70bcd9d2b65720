// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// What was there before the host joined, and has not changed since, is none of the
// cluster's, however it is called and whatever it is in.
func TestWhatIsOlderThanTheJoinStays(t *testing.T) {
	for name, tc := range map[string]struct{ plant, file string }{
		"a network's data":           {"mkdir -p var/lib/weave", "var/lib/weave/weave-netdata.db"},
		"a network's logs":           {"mkdir -p var/log/calico", "var/log/calico/felix.log"},
		"beside a network's data":    {"mkdir -p var/lib/cilium", "var/lib/cilium/ext.db"},
		"deep in a network's data":   {"mkdir -p var/lib/kube-router/deep", "var/lib/kube-router/deep/file"},
		"deeper than is looked at":   {"mkdir -p var/lib/calico/1/2/3/4/5/6/7/8/9/10/11", "var/lib/calico/1/2/3/4/5/6/7/8/9/10/11/data"},
		"beside pods' logs":          {"mkdir -p var/log/pods/mine", "var/log/pods/mine/x"},
		"beside kubeadm's temporary": {"mkdir -p etc/kubernetes/tmp", "etc/kubernetes/tmp/mine"},
		"a key among certificates":   {"mkdir -p etc/kubernetes/pki", "etc/kubernetes/pki/corp.key"},
		"no plugin's name":           {"mkdir -p var/lib/kubelet/plugins/old", "var/lib/kubelet/plugins/old/data"},
		"a plugin's name":            {"mkdir -p var/lib/kubelet/plugins/org.eclipse.core", "var/lib/kubelet/plugins/org.eclipse.core/jar"},
		"beside checkpoints":         {"mkdir -p var/lib/kubelet/checkpoints", "var/lib/kubelet/checkpoints/model.pt"},
		"a uid of no pod's": {"mkdir -p var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e",
			"var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e/disk"},
		"behind a link": {"mkdir -p var/lib/kubelet srv/plugins/org.eclipse.core; ln -s /mnt/srv/plugins var/lib/kubelet/plugins",
			"srv/plugins/org.eclipse.core/jar"},
		"on a disk": {"mkdir -p var/lib/kubelet/plugins; mount -t tmpfs tmpfs var/lib/kubelet/plugins; " +
			"mkdir var/lib/kubelet/plugins/org.eclipse.core",
			"var/lib/kubelet/plugins/org.eclipse.core/jar"},
		"a configuration called as a network's": {"", "etc/cni/net.d/10-weave.conflist"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.plant + "\nborn; echo '{\"name\":\"mine\",\"plugins\":[{\"type\":\"bridge\"}]}' > " + tc.file + "; old")
				w.join()
				v := w.remove()
				if !w.exists("/" + tc.file) {
					w.Errorf("it is gone: verdict %s, lost %v", v.State, v.Lost)
				}
			})
		})
	}
}

// A directory that others share may be mounted above what goes: nothing in it is this
// host's alone.
func TestNothingGoesWhereAnotherMachinesFileSystemIsMountedAbove(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p var/lib/calico; mount -t tmpfs tmpfs var/log")
		w.join()
		w.script("mkdir -p var/log/pods/ns_pod_0f8fad5b-d9cb-469f-a165-70867728950e proc2; ln -s /proc/self/ns proc2/ns")
		raw, err := os.ReadFile("/proc/self/mountinfo")
		hosttest.Must(w.T, err)
		var out []string
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, " /mnt/var/log ") {
				line = strings.Replace(line, " - tmpfs tmpfs ", " - nfs4 server:/log ", 1)
			}
			out = append(out, line)
		}
		hosttest.Must(w.T, os.WriteFile(w.dir+"/proc2/mountinfo", []byte(strings.Join(out, "")), 0o600))
		target := w.target()
		target.Host.Proc = w.dir + "/proc2"
		inv, err := target.Survey(w.Context())
		hosttest.Must(w.T, err)
		named := false
		for _, it := range inv.Items {
			if strings.HasPrefix(it.Name, "/var/log/pods") {
				named = named || strings.HasPrefix(it.Refers, "not looked at: ")
				if it.Fate == inventory.Goes {
					w.Errorf("%s goes", it.Name)
				}
			}
		}
		if !named {
			w.Error("it is not named")
		}
		if err := target.Host.Remove("/var/log/pods"); err == nil || !w.exists("/var/log/pods/ns_pod_0f8fad5b-d9cb-469f-a165-70867728950e") {
			w.Errorf("it was deleted: %v", err)
		}
	})
}

// What leads to the cluster is found on the host's own disks, wherever its own links lead.
func TestWhatRefersToTheClusterIsFoundOnEveryDisk(t *testing.T) {
	conf := func(path string) string {
		return `mkdir -p ` + path + `; printf 'clusters:\n- cluster:\n    server: https://192.0.2.200:6443\n' > ` + path +
			`/agent.conf; printf %s "$CA" >> ` + path + "/agent.conf;"
	}
	for name, tc := range map[string]struct{ plant, at string }{
		"no disk, no link":   {conf("var/lib/app"), "/var/lib/app"},
		"a disk in /var/lib": {"mkdir -p var/lib/app; mount -t tmpfs tmpfs var/lib/app;" + conf("var/lib/app"), "/var/lib/app"},
		"a disk in /etc":     {"mkdir -p etc/agent; mount -t tmpfs tmpfs etc/agent;" + conf("etc/agent"), "/etc/agent"},
		"a disk on a disk": {"mkdir -p etc/a; mount -t tmpfs tmpfs etc/a; mkdir -p etc/a/b; mount -t tmpfs tmpfs etc/a/b;" +
			conf("etc/a/b"), "/etc/a/b"},
		"/srv is a link":     {"mkdir -p data; mv srv data/srv; ln -s data/srv srv;" + conf("data/srv"), "/data/srv"},
		"/var/lib is a link": {"mkdir -p data; mv var/lib data/lib; ln -s ../data/lib var/lib;" + conf("data/lib/app"), "/data/lib/app"},
		"a link and a disk": {"mkdir -p data; mount -t tmpfs tmpfs data; mv srv data/srv; ln -s data/srv srv;" +
			conf("data/srv"), "/data/srv"},
		"a directory bound to /etc": {"mkdir -p data/a etc/agent; mount --bind data/a etc/agent;" + conf("etc/agent"), "/etc/agent"},
	} {
		t.Run(strings.ReplaceAll(strings.ReplaceAll(name, " ", "_"), "/", "-"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script("CA='" + clusterCA + "'; umount etc/resolv.conf 2>/dev/null || true; " + tc.plant)
				v := w.remove()
				if !slices.ContainsFunc(v.But, func(it inventory.Item) bool { return it.Name == tc.at+"/agent.conf" }) {
					w.Errorf("verdict %s, but %v", v.State, v.But)
				}
			})
		})
	}
}

// A directory tells only of what is directly in it that it has changed.
func TestWhatHasChangedDeepInSomethingOlderIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p var/log/calico/cni/deep\nborn; echo old > var/log/calico/cni/deep/cni.log; old")
		w.join()
		w.script("echo new >> var/log/calico/cni/deep/cni.log")
		v := w.remove()
		if !w.exists("/var/log/calico/cni/deep/cni.log") || v.State != inventory.CleanBut ||
			!slices.ContainsFunc(v.But, func(it inventory.Item) bool { return it.Name == "/var/log/calico/cni" }) {
			w.Errorf("verdict %s, but %v", v.State, v.But)
		}
	})
}

// What is beyond the bounds of the search for older things is not known to be younger: what was
// there before the join stays behind however many files, and what came since goes all the same.
func TestTheBoundsOfTheSearchForOlderThingsKeepThemAndNothingElse(t *testing.T) {
	const many = "; (cd var/lib/calico/a && seq 9000 | xargs touch)"
	for name, tc := range map[string]struct {
		before, after string
		want          inventory.State
	}{
		"older, behind many that are younger": {"mkdir -p var/lib/calico/z; echo precious > var/lib/calico/z/data",
			"mkdir -p var/lib/calico/a" + many, inventory.Clean},
		"many, all younger": {"true", "mkdir -p var/lib/calico/a" + many, inventory.Clean},
		"deep, all younger": {"true", "mkdir -p var/lib/calico/1/2/3/4/5/6/7/8/9/10/11; touch var/lib/calico/1/2/3/4/5/6/7/8/9/10/11/x",
			inventory.Clean},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.before + "; born; old")
				w.join()
				w.script(tc.after)
				v := w.remove()
				if strings.Contains(tc.before, "precious") && w.script("cat var/lib/calico/z/data") != "precious\n" {
					w.Errorf("it is gone: verdict %s", v.State)
				}
				if left := w.exists("/var/lib/calico/a/1"); left || v.State != tc.want {
					w.Errorf("left: %t, verdict %+v", left, v)
				}
			})
		})
	}
}
