// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri/critest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func TestMain(m *testing.M) { hosttest.Main(m) }

// world is a host with foreign things on it that became a node: real mounts,
// links, routes and packet filters in namespaces of the test, a runtime that
// listens on a real socket, and a systemd that is a map.
type world struct {
	*testing.T
	dir     string
	runtime *critest.Runtime
	// active is the kubelet's state; ran are the commands that change units.
	active string
	ran    []string
	// since is when the mounts of some paths, and basic.target, appeared, in microseconds after the boot.
	since map[string]int64
	// missing are programs that this host does not have.
	missing []string
	choices inventory.Choices
	// reach is how the API server is asked; nil if it is not.
	reach func(context.Context) error
	// registered is when the Node was made; zero if that is not known.
	registered time.Time
}

// foreign is what others have on the host: none of it may change. Its files are made
// first, so that they are old by the time that the rest is there.
const foreign = `
mkdir -p etc/systemd/system etc/cni/net.d etc/kubernetes/manifests opt/cni/bin var/lib/cni/networks/podman var/log var/backups
mkdir -p run/netns srv/data sys/fs/cgroup usr/libexec
echo precious > srv/data/file; echo mine > etc/kubernetes/audit.yaml; echo '{"name":"podman"}' > etc/cni/net.d/87-podman.conflist
touch opt/cni/bin/bridge opt/cni/bin/loopback run/netns/mine; echo original > srv/resolv; touch etc/resolv.conf; born
mount --bind srv/resolv etc/resolv.conf
rules '*filter
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:ufw-user-input - [0:0]
:f2b-sshd - [0:0]
-A INPUT -p tcp --dport 22 -j f2b-sshd
-A INPUT -j ufw-user-input
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -p tcp --dport 23 -j DROP
-A ufw-user-input -p tcp --dport 22 -m comment --comment "let \"me\" in" -j ACCEPT
-A f2b-sshd -p udp -j REJECT
-A f2b-sshd -j RETURN
COMMIT'
for i in nft legacy; do printf '*nat\n-A POSTROUTING -s 10.99.0.0/16 -j MASQUERADE\nCOMMIT\n' | iptables-$i-restore -n; done
printf '*mangle\nCOMMIT\n' | iptables-legacy-restore -n # no one can take a legacy table away again
nft 'table inet mine { chain c { type filter hook input priority 5; policy accept; ip saddr 203.0.113.9 counter drop comment "mine"
}
chain KUBE-SERVICES {
}
}'
ip -batch - <<E
link set lo up
link add eth0 type veth peer name eth0p
link set eth0p up
addr add 192.0.2.10/24 dev eth0
link set eth0 up
route add default via 192.0.2.1
link add dummy0 type vxlan id 77 dstport 4789 dev eth0
link add docker0 type bridge
addr add 10.244.200.1/24 dev docker0
link set docker0 up
link add vmine type veth peer name vminep
link set vmine master docker0
route add 10.244.9.0/24 via 192.0.2.99
rule add from 10.46.0.0/16 table 100 prio 500
E
old
`

// clusterCA is the cluster's certificate authority, and otherCA another's.
const (
	clusterCA = "-----BEGIN CERTIFICATE-----\ndGhlIGNsdXN0ZXIncyBjZXJ0aWZpY2F0ZSBhdXRob3JpdHk=\n-----END CERTIFICATE-----\n"
	otherCA   = "-----BEGIN CERTIFICATE-----\nYW5vdGhlciBjZXJ0aWZpY2F0ZSBhdXRob3JpdHk=\n-----END CERTIFICATE-----\n"
)

// kubernetes is what a join, a kubelet, kube-proxy and flannel leave.
const kubernetes = "CA='" + clusterCA + "'" + `
k=var/lib/kubelet; mkdir -p $k/pki $k/pods/u1/volumes/secret $k/pods/u1/volumes/etc $k/pods/u1/volumes/data $k/plugins etc/kubernetes/pki
echo key > $k/pki/kubelet.key; echo > $k/config.yaml; echo > $k/kubeadm-flags.env; printf %s "$CA" > etc/kubernetes/pki/ca.crt
echo "    server: https://192.0.2.200:6443" > etc/kubernetes/kubelet.conf
mount -t tmpfs tmpfs $k/pods/u1/volumes/secret; echo token > $k/pods/u1/volumes/secret/token
mount --rbind etc $k/pods/u1/volumes/etc; mount --make-rshared $k/pods/u1/volumes/etc; mount --bind srv/data $k/pods/u1/volumes/data
ln -s ../../../../../srv/data $k/pods/u1/link; mkdir $k/pods/u1/shut; touch $k/pods/u1/shut/f; chmod 000 $k/pods/u1/shut
mkdir -p run/flannel var/log/pods/ns_web_u1/app var/log/containers var/lib/cni/networks/cbr0 var/lib/cni/results var/lib/cni/flannel
mkdir -p usr/libexec/kubernetes/kubelet-plugins/volume/exec
echo > run/flannel/subnet.env; echo > var/log/pods/ns_web_u1/app/0.log; ln -s /var/log/pods/x var/log/containers/x.log
echo > var/lib/cni/networks/cbr0/10.244.1.2
echo '{"networkName":"cbr0","result":{"interfaces":[{"sandbox":"/var/run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624"}]}}' \
> var/lib/cni/results/cbr0-abc-eth0; echo > etc/cni/net.d/10-flannel.conflist
echo > opt/cni/bin/flannel
touch run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624
mkdir -p sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice
ip -batch - <<E
link add cni0 type bridge
addr add 10.244.1.1/24 dev cni0
link set cni0 up
link add flannel.1 type vxlan id 1 dstport 8472 dev eth0
addr add 10.244.1.0/32 dev flannel.1
link set flannel.1 up
route add 10.244.3.0/24 dev flannel.1
link add veth0a1b2c3d type veth peer name veth0b
link set veth0a1b2c3d master cni0
route add 10.244.2.0/24 via 192.0.2.11
E
rules '*mangle
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:FLANNEL-FWD - [0:0]
-I INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -p tcp --dport 1 -j DROP
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FORWARD -j ACCEPT
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-SERVICES -p udp -j KUBE-SVC-TCOU7JCQXEZGVUNU
COMMIT'
nft 'add table ip kube-proxy; add chain ip kube-proxy services'
`

// podNetwork is the network namespace of the pod.
const podNetwork = "run/netns/cni-9870e78d-4462-81d6-4164-b6aff4998624"

// words are what scripts may say: rules has them in all packet filters that a host may
// have; old waits until what was born is older than what a join makes (part.JoinMoment).
const words = `
rules() { for i in iptables-nft iptables-legacy ip6tables-nft; do printf '%s\n' "$1" | $i-restore -n; done; }
born() { touch .born; }
old() { until [ -z "$(find .born -newermt '-0.55 sec')" ]; do sleep 0.02; done; rm .born; }
`

// inWorld runs a test on a node of its own.
func inWorld(t *testing.T, body func(w *world)) {
	t.Helper()
	hosttest.Isolate(t, func(t *testing.T, dir string) {
		w := &world{T: t, dir: dir, active: "active"}
		w.script(foreign)
		body(w)
	})
}

// join makes the host a node.
func (w *world) join() {
	w.Helper()
	pod := exec.CommandContext(w.Context(), "sleep", "1000")
	pod.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	hosttest.Must(w.T, pod.Start())
	w.script(kubernetes + fmt.Sprintf("ip link set veth0b netns %d; mount --bind /proc/%[1]d/ns/net %s", pod.Process.Pid, podNetwork))
	if w.runtime == nil {
		w.runtime = critest.Serve(w.T, w.dir+"/run/containerd/containerd.sock")
	}
	w.runtime.Start(critest.Pod{Name: "proxy", HostNetwork: true}, critest.Pod{Name: "web", Gone: func() {
		_ = pod.Process.Kill()
		_ = pod.Wait()
	}})
	w.active = "active"
}

func (w *world) script(script string) string {
	w.Helper()
	return hosttest.Script(w.T, "cd "+w.dir+words+script)
}

// target is the removal of this node.
func (w *world) target() clean.Target {
	return clean.Target{
		Host: host.Local{Root: w.dir, Proc: "/proc/self", Exec: w.exec}, StateDir: "/state", Choices: w.choices,
		Reach: w.reach, Grace: 400 * time.Millisecond,
		Facts: inventory.Facts{Node: "w1", PodCIDRs: []string{"10.244.0.0/16"}, NodeIPs: []string{"192.0.2.11", "192.0.2.10"},
			NodePods: []string{"192.0.2.11 10.244.2.0/24", "192.0.2.11 10.244.5.0/24"}, Registered: w.registered},
	}
}

// exec is systemctl, no package managers, and everything else as it is.
func (w *world) exec(ctx context.Context, cmd host.Command) (string, error) {
	switch cmd.Name {
	case "which":
		if slices.Contains(append([]string{"dpkg-query", "rpm", "kubeadm"}, w.missing...), cmd.Args[0]) {
			return "", errors.New("not here")
		}
		return exec.LookPath(cmd.Args[0])
	case "systemctl":
		return w.systemctl(cmd.Args)
	}
	return host.Local{}.Run(ctx, cmd)
}

func (w *world) systemctl(args []string) (string, error) {
	held := func() bool {
		found, _ := filepath.Glob(w.dir + "/etc/systemd/system/kubelet.service.d/*hold*")
		return len(found) > 0
	}
	switch verb := args[0]; verb {
	case "show":
		if slices.Contains(args, "basic.target") {
			var out strings.Builder
			for name, at := range w.since {
				fmt.Fprintf(&out, "%s=%s\nActiveEnterTimestampMonotonic=%d\n\n", text.Choose(name == "basic.target", "Id", "Where"), name, at)
			}
			return out.String(), nil
		}
		return "LoadState=loaded\nActiveState=" + w.active + "\nUnitFileState=enabled\n", nil
	case "stop":
		if !held() {
			w.Error("the kubelet is stopped before it is held")
		}
		w.active = "inactive"
	case "start":
		if !held() {
			w.active = "active"
		}
	case "list-units":
		return "", nil
	case "kill":
		w.ran = append(w.ran, strings.Join(args, " "))
		return "", nil
	}
	w.ran = append(w.ran, args[0])
	return "", nil
}

// survey looks at the host and insists that everything could be read.
func (w *world) survey() inventory.Inventory {
	w.Helper()
	inv, err := w.target().Survey(w.Context())
	hosttest.Must(w.T, err)
	if len(inv.Unchecked) > 0 {
		w.Errorf("unchecked: %v", inv.Unchecked)
	}
	return inv
}

// dump is the host in its tools' own words. Of an image that may be mounted only the name
// counts: the kernel writes into it when it likes, and what is in it is looked at where it
// is mounted.
func (w *world) dump() string {
	w.Helper()
	return w.script(`nft list ruleset 2>/dev/null | sed -E 's/packets [0-9]+ bytes [0-9]+//'
		iptables-legacy-save | grep -v '^#' | sed -E 's/\[[0-9:]+\]//'; echo; ip6tables-legacy-save 2>/dev/null | grep -v '^#' || true
		ip -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/state [A-Z]+//; s/<[^>]*>//'
ip -o addr | grep -v 'scope link' | sed -E 's/^[0-9]+: //; s/ +valid.*//'
		ip route | sed 's/ linkdown//'; ip rule; cut -d' ' -f4,5 /proc/self/mountinfo | grep /mnt | sort
		find . -path ./state -prune -o -path ./var/backups/kubectl-lifecycle -prune -o -path ./run/containerd -prune -o \
			-printf '%y %m %p %l\n' | sort
		find etc srv opt -type f ! -name '*.img' -exec sha256sum {} + | sort -k2`)
}

// verdict removes the node and says how it went.
func (w *world) remove() inventory.Verdict {
	w.Helper()
	before := w.survey()
	_, err := w.target().Recipe().Run(w.Context(), nil)
	hosttest.Must(w.T, err)
	return inventory.Verify(before, w.survey())
}

// same fails the test unless the host is as it was.
func (w *world) same(before string) {
	w.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(w.dump(), "\n")
	for _, line := range was {
		if !slices.Contains(is, line) {
			w.Errorf("- %s", line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			w.Errorf("+ %s", line)
		}
	}
	if !w.Failed() && !slices.Equal(was, is) {
		w.Errorf("the order is different (-before +after):\n%s", cmp.Diff(was, is))
	}
}

func (w *world) exists(path string) bool {
	_, err := os.Lstat(w.dir + path)
	return err == nil
}
