// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// startNamed runs a program of a name, which does nothing.
func (w *world) startNamed(program string, how *syscall.SysProcAttr) int {
	w.Helper()
	w.script("mkdir -p bin; cp $(readlink -f $(command -v sleep)) bin/" + program + "; chmod 755 bin bin/" + program)
	cmd := exec.CommandContext(w.Context(), w.dir+"/bin/"+program, "1000")
	how.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = how
	hosttest.Must(w.T, cmd.Start())
	return cmd.Process.Pid
}

// A network's directory in memory is made by each start of its agent. It shows whose the links
// are after a reset by hand, unless that agent runs on the host itself: for Docker, say, or to
// protect the host.
func TestANetworkThatRunsOnTheHostItselfIsNotThePods(t *testing.T) {
	const calico = "mkdir -p run/calico; ip link add cali0123456789a type veth peer name calip"
	const flannel = "mkdir -p run/flannel; ip link add flannel.7 type vxlan id 7 dstport 8475 dev eth0"
	const cilium = "mkdir -p run/cilium; ip link add cilium_vxlan type vxlan external dstport 8473"
	for name, tc := range map[string]struct {
		plant, link, dir, agent string
		how                     syscall.SysProcAttr
		pod, goes               bool
	}{
		"no agent runs":             {plant: calico, link: "cali0123456789a", dir: "/run/calico", goes: true},
		"Felix on the host":         {plant: calico, link: "cali0123456789a", dir: "/run/calico", agent: "calico-node"},
		"Felix as a package has it": {plant: calico, link: "cali0123456789a", dir: "/run/calico", agent: "calico-felix"},
		"Felix in a pod": {plant: calico, link: "cali0123456789a", dir: "/run/calico", agent: "calico-node",
			pod: true, goes: true},
		"flanneld on the host":       {plant: flannel, link: "flannel.7", dir: "/run/flannel", agent: "flanneld"},
		"another network's agent":    {plant: flannel, link: "flannel.7", dir: "/run/flannel", agent: "cilium-agent", goes: true},
		"Cilium's agent on the host": {plant: cilium, link: "cilium_vxlan", dir: "/run/cilium", agent: "cilium-agent"},
		"a program that begins as an agent's": {plant: flannel, link: "flannel.7", dir: "/run/flannel", agent: "flanneld-exporter",
			goes: true},
		"in a network namespace of its own": {plant: flannel, link: "flannel.7", dir: "/run/flannel", agent: "flanneld",
			how: syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}, goes: true},
		"another user's program of the name": {plant: flannel, link: "flannel.7", dir: "/run/flannel", agent: "flanneld",
			how: syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}, goes: true},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.join()
				w.script(reset + "; rm -rf etc/kubernetes/pki etc/cni/net.d/10-flannel.conflist var/lib/cni/flannel run/flannel\n" +
					"ip link del flannel.1; chmod 755 .\n" + tc.plant)
				if tc.agent != "" {
					pid := w.startNamed(tc.agent, &tc.how)
					if tc.pod {
						w.script(fmt.Sprintf("mkdir -p sys/fs/cgroup/kubepods/pod1; echo %d > sys/fs/cgroup/kubepods/pod1/cgroup.procs", pid))
					}
				}
				inv, err := w.target().Survey(w.Context())
				hosttest.Must(w.T, err)
				for _, name := range []string{tc.link, tc.dir} {
					i := slices.IndexFunc(inv.Items, func(it inventory.Item) bool { return it.Name == name })
					if i < 0 {
						w.Fatalf("%s is not found", name)
					}
					if it := inv.Items[i]; (it.Fate == inventory.Goes) != tc.goes || !tc.goes && it.Refers == "" {
						w.Errorf("%s: %s, refers %q", name, it.Fate, it.Refers)
					}
				}
			})
		})
	}
}
