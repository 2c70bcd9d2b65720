// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// logsIn are logs of pods in a directory, as a kubelet names them: of a pod of the API
// server's, and of a static one.
func logsIn(dir string) string {
	return "mkdir -p " + dir + "/ns_web_" + uid + "/app " + dir + "/kube-system_kube-proxy.x_d41d8cd98f00b204e9800998ecf8427e/p\n" +
		"echo secret > " + dir + "/ns_web_" + uid + "/app/0.log\n"
}

// The kubelet's podLogsDir may be a disk of an administrator's, which others use, too
// (kubernetes/kubernetes#98473).
func TestLogsOfPodsGoWhereverTheyAre(t *testing.T) {
	const mine = `mkdir -p data/podlogs/mine data/podlogs/ns_web_notes data/containers; echo mine > data/podlogs/notes_a_b
ln -s /srv data/podlogs/ns_web_0a1b2c3d-0000-1111-2222-333344445555; echo mine > data/containers/app.log; `
	for name, tc := range map[string]struct{ before, after, argument string }{
		"by the kubelet's configuration": {mine, "echo 'podLogsDir: /data/podlogs' > var/lib/kubelet/config.yaml", ""},
		"by one that the running kubelet is given": {mine, `mkdir -p etc/k; echo '{"podLogsDir": "/data/podlogs"}' > etc/k/config.json`,
			"--config=/etc/k/config.json"},
		"by a part of it": {mine, `mkdir -p etc/k; echo "podLogsDir: '/data/podlogs'" > etc/k/10-logs.conf`, "--config-dir=/etc/k"},
		"by a link":       {mine + "ln -s ../../data/podlogs var/log/pods; ", "", ""},
		"by a link to a directory above": {"mkdir -p data/log; " + strings.ReplaceAll(mine, "data/", "data/log/") +
			"ln -s data/log logs; mv data/log/podlogs data/log/p; ln -s log/p data/podlogs; ",
			"echo 'podLogsDir: /logs/p' > var/lib/kubelet/config.yaml", ""},
		"on a disk of its own": {"mkdir -p data/podlogs; mount -t tmpfs disk data/podlogs; " + mine,
			"echo 'podLogsDir: /data/podlogs' > var/lib/kubelet/config.yaml", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.before + "born; old")
				before := w.dump()
				link := strings.TrimSpace(w.script("readlink var/log/pods || true"))
				if link != "" {
					w.script("rm var/log/pods")
				}
				w.join()
				if link != "" {
					w.script("rm -r var/log/pods; ln -s " + link + " var/log/pods")
				}
				w.script(tc.after + "\n" + logsIn("data/podlogs"))
				if tc.argument != "" {
					w.runs("kubelet", tc.argument)
				}
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Errorf("verdict: %+v", verdict)
				}
				w.script("rm -rf bin etc/k")
				w.same(before)
			})
		})
	}
}

func TestLogsOfPodsBehindAMountOfAnAdministratorsAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p data/podlogs srv/podlogs; mount --bind srv/podlogs data/podlogs")
		w.join()
		w.script("echo 'podLogsDir: /data/podlogs' > var/lib/kubelet/config.yaml\n" + logsIn("data/podlogs"))
		verdict := w.remove()
		if diff := cmp.Diff([]string{"directory /data/podlogs"}, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if !w.exists("/srv/podlogs/ns_web_" + uid + "/app/0.log") {
			w.Error("something was deleted through a mount")
		}
	})
}

// A link in the place of a directory that goes whole leads to one that an administrator
// has: what a network has left there is not told from what was there.
func TestWhatANetworkLeavesBehindALinkIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p data/calico data/empty; ln -s ../../data/calico var/lib/calico; ln -s ../../data/empty var/log/calico; born; old")
		before := w.dump()
		w.join()
		w.script("echo w1 > data/calico/nodename")
		verdict := w.remove()
		if diff := cmp.Diff([]string{"file /var/lib/calico"}, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		w.script("rm data/calico/nodename")
		w.same(before)
	})
}

// What else the kubelet's settings name on the host: what it makes goes, what it is given
// stays and is named.
func TestOtherPlacesThatAKubeletIsGiven(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p data/mine~driver data/auth; echo mine > data/auth/config.yaml; born; old")
		before := w.dump()
		w.join()
		w.script(`mkdir -p data/made/nodeagent~uds data/tls; echo > data/made/nodeagent~uds/uds; printf %s '` + clusterCA + `' > data/tls/ca.crt
cd usr/libexec/kubernetes/kubelet-plugins/volume/exec; mkdir nodeagent~uds; touch nodeagent~uds/uds; cd -
mkdir -p sys/fs/cgroup/own/kubepods; touch run/calico
printf 'volumePluginDir: /data/made/\ntlsCertFile: /data/tls/own.crt\n' > var/lib/kubelet/config.yaml
printf 'authentication:\n  x509:\n    clientCAFile: "/data/tls/ca.crt"\n' >> var/lib/kubelet/config.yaml`)
		w.runs("kubelet", "--image-credential-provider-config", "/data/auth/config.yaml", "--cgroup-root=/own")
		verdict := w.remove()
		if diff := cmp.Diff([]string{"file /data/tls/ca.crt"}, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if w.exists("/sys/fs/cgroup/own/kubepods") {
			w.Error("the cgroups of pods in another cgroupRoot are there")
		}
		w.script("rm -r data/tls bin; rmdir sys/fs/cgroup/own")
		w.same(before)
	})
}
