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

// reset is what "kubeadm reset" deletes of the files that tell when a host joined.
const reset = "rm -rf etc/kubernetes/*.conf etc/kubernetes/pki/ca.crt var/lib/kubelet/config.yaml " +
	"var/lib/kubelet/kubeadm-flags.env var/lib/kubelet/pki"

// What is older than the join stays, also where it is written to all the time, where
// nothing tells any more when the join was, and where the file system keeps no births.
// What may be the cluster's is named.
func TestWhatMayBeOlderThanTheJoinStaysAndIsNamed(t *testing.T) {
	const unborn = "truncate -s 32M disk.img; mke2fs -q -F -t ext4 -I 128 disk.img; mkdir -p tmpvl; mount -o loop disk.img tmpvl; " +
		"cp -a var/lib/. tmpvl/; umount tmpvl; mount -o loop disk.img var/lib; "
	for name, tc := range map[string]struct {
		plant, afterwards, file string
		want                    inventory.State
	}{
		"a program beside writes to it": {"mkdir -p var/lib/weave; echo db > FILE", "echo more >> FILE",
			"var/lib/weave/weave-netdata.db",
			inventory.CleanBut},
		"a log that goes on": {"mkdir -p var/log/calico; echo x > FILE", "echo y >> FILE",
			"var/log/calico/felix.log", inventory.CleanBut},
		"beside something new": {"mkdir -p var/lib/cilium/mine; echo key > FILE", "echo x > var/lib/cilium/mine/new",
			"var/lib/cilium/mine/old.key", inventory.CleanBut},
		"called as a driver, beside something new": {"mkdir -p var/lib/kubelet/plugins/org.eclipse.core; echo d > FILE",
			"echo x > var/lib/kubelet/plugins/org.eclipse.core/new", "var/lib/kubelet/plugins/org.eclipse.core/old.img", inventory.CleanBut},
		"called as a pod, and its mode was changed": {"mkdir -p var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e; echo d > FILE",
			"chmod 700 var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e", "var/lib/kubelet/pods/0f8fad5b-d9cb-469f-a165-70867728950e/disk",
			inventory.CleanBut},
		"called as kubeadm's": {"mkdir -p etc/kubernetes; echo other > FILE", "true",
			"etc/kubernetes/admin.conf", inventory.Clean},
		"among etcd's": {"mkdir -p etc/kubernetes/pki/etcd; echo key > FILE", "true",
			"etc/kubernetes/pki/etcd/corp.key", inventory.Clean},
		"a key that was edited": {"mkdir -p etc/kubernetes/pki; echo key > FILE", "sed -i s/z/y/ FILE",
			"etc/kubernetes/pki/corp.key", inventory.CleanBut},
		"a network's, no date": {"mkdir -p var/lib/weave; echo db > FILE",
			reset, "var/lib/weave/weave-netdata.db", inventory.CleanBut},
		"a key, no date": {"mkdir -p etc/kubernetes/pki; echo key > FILE",
			reset, "etc/kubernetes/pki/corp.key", inventory.CleanBut},
		"a driver's, no date": {"mkdir -p var/lib/kubelet/plugins/a.b; echo d > FILE",
			reset, "var/lib/kubelet/plugins/a.b/data", inventory.CleanBut},
		"beside logs, no date": {"mkdir -p var/log/pods/mine; echo d > FILE", reset, "var/log/pods/mine/x", inventory.CleanBut},
		"no checkpoint, no date": {"mkdir -p var/lib/kubelet/checkpoints; echo d > FILE",
			reset, "var/lib/kubelet/checkpoints/model.pt", inventory.CleanBut},
		"a kubeconfig, no date": {"mkdir -p etc/kubernetes; echo other > FILE",
			reset + "; echo other > FILE", "etc/kubernetes/admin.conf", inventory.CleanBut},
		"a network's, no births": {unborn + "mkdir -p var/lib/weave; echo db > FILE; touch -d '2 hours ago' FILE var/lib/weave",
			"true", "var/lib/weave/db", inventory.Clean},
		"a driver's, no births": {unborn + "mkdir -p var/lib/kubelet/plugins/a.b; echo d > FILE; " +
			"touch -d '2 hours ago' FILE var/lib/kubelet/plugins/a.b var/lib/kubelet/plugins",
			"true", "var/lib/kubelet/plugins/a.b/data", inventory.Clean},
		"a static pod, no births": {"mkdir -p etc/kubernetes/manifests; truncate -s 32M m.img; mke2fs -q -F -t ext4 -I 128 m.img; " +
			"mount -o loop m.img etc/kubernetes/manifests; rmdir etc/kubernetes/manifests/lost+found; echo '{apiVersion: v1, kind: Pod, " +
			"metadata: {name: mine}, spec: {containers: [{name: a, image: b}]}}' > FILE; touch -d '2 hours ago' FILE",
			"true", "etc/kubernetes/manifests/mine.yaml", inventory.Clean},
		"a host that never joined": {"mkdir -p var/lib/calico; echo n > FILE", "NEVER",
			"var/lib/calico/nodename", inventory.CleanBut},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				in := func(script string) string { return strings.ReplaceAll(script, "FILE", tc.file) }
				w.script(in(tc.plant) + "\nborn; old")
				if tc.afterwards != "NEVER" {
					w.join()
					w.script(in(tc.afterwards))
				}
				v := w.remove()
				if !w.exists("/" + tc.file) {
					w.Errorf("it is gone: verdict %s, lost %v", v.State, v.Lost)
				}
				if v.State != tc.want {
					w.Errorf("verdict %s, but %v", v.State, v.But)
				}
			})
		})
	}
}

// Names in the kernel prove each other nothing: a network's own programs run on hosts
// without Kubernetes, too. A file that stays as older than the join shows nothing either.
func TestAnotherProgramsNetworkIsNotThePods(t *testing.T) {
	const felix = `rules '*filter
:cali-INPUT - [0:0]
:cali-from-host-endpoint - [0:0]
-A INPUT -j cali-INPUT
-A cali-INPUT -j cali-from-host-endpoint
-A cali-from-host-endpoint -p udp -j DROP
COMMIT'
`
	for name, tc := range map[string]struct{ plant, stays string }{
		"Felix for the host itself": {felix, "iptables-nft -S | grep -q 'cali-from-host-endpoint -p udp'"},
		"with its directories of before": {"mkdir -p var/log/calico run/calico; echo x > var/log/calico/felix.log\n" + felix,
			"iptables-nft -S | grep -q 'cali-from-host-endpoint -p udp'"},
		"with chains, links and sets": {felix + "ip link add cali0123456789a type veth peer name calip; ipset create felix-4mine hash:ip || true",
			"ip link show cali0123456789a && iptables-nft -S | grep -q 'cali-from-host-endpoint -p udp'"},
		"Docker's Weave": {"ip link add weave type bridge; " +
			"printf '*nat\\n:WEAVE - [0:0]\\n-A POSTROUTING -j WEAVE\\nCOMMIT\\n' | iptables-nft-restore -n",
			"ip link show weave && iptables-nft -t nat -S | grep -q 'POSTROUTING -j WEAVE'"},
		"a table of nft's": {"nft 'table ip calico { chain c { type filter hook input priority 7; policy accept; " +
			"counter drop comment \"mine\"\n}\n}'",
			"nft list table ip calico | grep -q drop"},
		"a route and a rule of its own": {"mkdir -p var/lib/kube-router; echo x > var/lib/kube-router/x\n" +
			"ip rule add from 198.51.100.0/24 table 77 prio 400; ip route add 198.51.100.0/24 via 192.0.2.98 table 77",
			"ip rule | grep -q 'lookup 77' && ip route show table 77 | grep -q 198.51.100.0"},
		"a mesh of Kilo's between sites": {"mkdir -p var/lib/kilo; echo k > var/lib/kilo/key; ip link add kube-bridge type bridge\n" +
			"ip rule add to 198.51.100.9 table 1107 prio 400; ip route add 198.51.100.9 via 192.0.2.98 table 1107; iptables-nft -N KILO-NAT",
			"ip rule | grep -q 'lookup 1107' && ip link show kube-bridge && iptables-nft -S | grep -q KILO-NAT"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.plant + "\nborn; old")
				w.join()
				v := w.remove()
				if said := w.script("(" + tc.stays + ") >/dev/null 2>&1 && echo there || echo gone"); strings.TrimSpace(said) != "there" {
					w.Errorf("it is gone: verdict %s, lost %v", v.State, v.Lost)
				}
			})
		})
	}
}

// Whatever stays is asked whether it leads to the cluster, also in the directories of the
// kubelet, of kubeadm and of networks.
func TestWhatStaysAmongKubernetesFilesIsAsked(t *testing.T) {
	for name, tc := range map[string]struct{ before, file string }{
		"the kubelet's root":           {"true", "var/lib/kubelet/kubeconfig"},
		"a directory in it":            {"true", "var/lib/kubelet/bootstrap/agent.conf"},
		"older, among certificates":    {"mkdir -p etc/kubernetes/pki/users", "etc/kubernetes/pki/users/bob.conf"},
		"deep among configurations":    {"true", "etc/cni/net.d/a.d/b.d/agent.conf"},
		"beside what plugins remember": {"true", "var/lib/cni/agent/kubeconfig"},
		"a volume plugin":              {"true", "usr/libexec/kubernetes/kubelet-plugins/volume/exec/x~y/kubeconfig"},
		"beside etcd's data":           {"true", "var/lib/etcd/kubeconfig"},
		"a storage engine's":           {"true", "var/lib/longhorn/kubeconfig"},
		"another program's":            {"true", "opt/agent/kubeconfig"},
		"a name like this program's":   {"true", "var/lib/kubectl-lifecycle-of-mine/kubeconfig"},
		"older, in a network's":        {"mkdir -p var/lib/weave; echo x > var/lib/weave/agent.conf", "var/lib/weave/agent.conf"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.before + "\nborn; old")
				w.join()
				w.script("CA='" + clusterCA + "'; F=" + tc.file + `; mkdir -p $(dirname $F)
printf 'kind: Config\nclusters:\n- cluster:\n    server: https://192.0.2.200:6443\nusers:\n- user:\n    token: abc\n' > $F; printf %s "$CA" >> $F`)
				v := w.remove()
				named := func(it inventory.Item) bool { return strings.HasPrefix("/"+tc.file, it.Name) }
				if w.exists("/"+tc.file) && (v.State != inventory.CleanBut || !slices.ContainsFunc(v.But, named)) {
					w.Errorf("verdict %s, but %v", v.State, v.But)
				}
				if !w.exists("/" + tc.file) {
					w.Error("it is gone")
				}
			})
		})
	}
}

// What a cleaning wrote down that was not finished says nothing of a later join.
func TestNotesOfAnotherJoinAreForgotten(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		first := w.target().Recipe()
		first.Steps = first.Steps[:3]
		_, _ = first.Run(w.Context(), nil) // it is killed there
		if !w.exists("/state/joined") {
			w.Fatal("it has written nothing down")
		}
		if again, err := w.target().Fresh(false); err != nil || again.StateDir == "" || !w.exists("/state/joined") {
			w.Errorf("the same join: its notes are forgotten, %v", err)
		}
		w.script(reset + "; rm -rf etc/kubernetes/pki\nborn; old")
		w.script("mkdir -p var/lib/weave; echo d > var/lib/weave/db\nborn; old")
		w.script("mkdir -p etc/kubernetes/pki var/lib/kubelet etc/app; CA='" + otherCA + "'; echo > var/lib/kubelet/config.yaml; " +
			`printf %s "$CA" > etc/kubernetes/pki/ca.crt; echo '    server: https://192.0.2.201:6443' > etc/kubernetes/kubelet.conf; ` +
			`printf %s "$CA" > etc/app/agent.crt`)
		looked, err := w.target().Fresh(true)
		hosttest.Must(w.T, err)
		if looked.StateDir != "" || !w.exists("/state/joined") {
			w.Error("a look deletes notes, or believes them")
		}
		_, err = w.target().Fresh(false)
		hosttest.Must(w.T, err)
		if w.exists("/state/joined") || w.exists("/state/cluster.json") || w.exists("/state/signs.json") {
			w.Error("the notes are there still")
		}
		v := w.remove()
		if !w.exists("/var/lib/weave/db") || !slices.Contains(but(v), "/etc/app/agent.crt") {
			w.Errorf("verdict %s, but %v", v.State, v.But)
		}
		if entries, err := os.ReadDir(w.dir + "/state"); err != nil || len(entries) == 0 {
			w.Errorf("nothing was written down of this join: %v", err)
		}
	})
}

// Much data of a program's is no reason to doubt a host: little is read of what is no text,
// and the places where people keep kubeconfigs come first.
func TestDataOfProgramsIsNoReasonToDoubtAHost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script("mkdir -p var/lib/elasticsearch; for i in $(seq 300); do head -c 300000 /dev/zero > var/lib/elasticsearch/$i; done")
		if v := w.remove(); v.State != inventory.Clean {
			w.Errorf("verdict %s, but %v", v.State, v.But)
		}
	})
}
