// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// names are what some items are called, sorted.
func names(items []inventory.Item) []string {
	var out []string
	for _, it := range items {
		out = append(out, it.String())
	}
	slices.Sort(out)
	return out
}

// alike is what an administrator has that looks like a network's by one sign: the
// numbers of tables, a comment, names of links.
const alike = `
ip rule add from 192.0.2.0/24 lookup 77 prio 700; ip rule add fwmark 0x7 lookup 79 prio 701
ip route add 198.51.100.0/24 via 192.0.2.3 table 77
ip rule add fwmark 0x9/0xff lookup 2004 prio 702; ip route add 203.0.113.0/24 via 192.0.2.4 table 2005
ip rule add fwmark 0xd00/0xf00 lookup 200 prio 703; ip route add 10.244.9.0/24 via 192.0.2.5 table 200 proto kernel
ip rule add to 203.0.113.128/26 lookup 202 prio 112
iptables-nft -I INPUT -p tcp --dport 25 -m comment --comment "cilium: allow the mail" -j ACCEPT
iptables-nft -I INPUT -p tcp --dport 26 -m comment --comment "kube-router netpol: not" -j ACCEPT
iptables-nft -I INPUT -p tcp --dport 27 -m comment --comment "NodeLocal DNS Cache: not" -j ACCEPT
ip link add flannel.7 type vxlan id 99 dstport 4799 dev eth0; ip tuntap add cali1 mode tap
`

func TestWhatLooksLikeANetworksByOneSignAloneStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(alike)
		tables := "for t in 77 200 2005; do ip route show table $t; done"
		before := w.dump() + w.script(tables)
		w.join()
		if verdict := w.remove(); verdict.State != inventory.Clean || len(verdict.Lost) > 0 {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(strings.TrimSuffix(before, w.script(tables)))
		if !strings.HasSuffix(before, w.script(tables)) {
			w.Error("routes of an administrator are gone")
		}
	})
}

func TestABridgeThatAnotherNetworkOfThisHostHasStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script(`echo '{"name":"crio","type":"bridge","bridge":"cni0","ipam":{"type":"host-local"}}' > etc/cni/net.d/100-crio-bridge.conf
			ip link add cni0 type bridge; ip addr add 10.85.0.1/16 dev cni0; ip link set cni0 up
			ip link add theirs type veth peer name theirp; ip link set theirs master cni0`)
		before := w.dump()
		if ours := w.survey().Ours(); slices.ContainsFunc(ours, func(it inventory.Item) bool { return it.Kind == inventory.KindLink }) {
			w.Errorf("goes: %v", names(ours))
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestALinkNamedAsANetworkNamesItsOwnIsNamedWhereNothingElseIsThere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("ip link add kube-ipvs0 type dummy 2>/dev/null || true; ip link add weave type bridge; ip link add cali0123456789a type veth " +
			"peer name calipeer; ip link add vxlan.calico type vxlan id 4096 dstport 4788 dev eth0")
		before := w.dump()
		verdict := w.remove()
		if diff := cmp.Diff([]string{"link cali0123456789a", "link vxlan.calico", "link weave"}, slices.DeleteFunc(names(verdict.But),
			func(n string) bool { return n == "link kube-ipvs0" })); verdict.State != inventory.CleanBut || diff != "" {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		w.same(before)
	})
}

func TestAProgramOnACgroupOfAHybridHostIsDetached(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		top := w.top()
		w.script("mkdir -p run/cilium sys/fs/cgroup/kubepods.slice; umount sys/fs/cgroup; mkdir -p sys/fs/cgroup/unified sys/fs/cgroup/memory; " +
			"mount --bind " + top + " sys/fs/cgroup/unified")
		w.Cleanup(func() { w.script("umount sys/fs/cgroup/unified; mount --bind " + top + " sys/fs/cgroup") })
		dir, err := os.Open(top)
		hosttest.Must(t, err)
		defer func() { _ = dir.Close() }()
		hook := ebpf.AttachCGroupInet4Connect
		for _, name := range []string{"cil_sock4_conn", "their_connect"} {
			hosttest.Must(t, bpflink.RawAttachProgram(bpflink.RawAttachProgramOptions{
				Target: int(dir.Fd()), Program: w.program(name, ebpf.CGroupSockAddr, hook), Attach: hook, Flags: unix.BPF_F_ALLOW_MULTI}))
		}
		listed := slices.ContainsFunc(w.survey().Ours(), func(it inventory.Item) bool {
			return it.Kind == inventory.KindProgram && it.Name == "cil_sock4_conn" && it.In == "/sys/fs/cgroup/unified"
		})
		if !listed {
			w.Error("the inventory does not list it")
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		if diff := cmp.Diff([]string{"their_connect"}, w.attached(top)); diff != "" {
			w.Errorf("what is attached (-want +got):\n%s", diff)
		}
	})
}

func TestCiliumsWordOutsideItsDirectoriesGoesAndOthersGetTheirNamesBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p etc/sysctl.d; echo 'net.ipv4.ip_forward = 1' > etc/sysctl.d/99-mine.conf")
		before := w.dump()
		w.join()
		w.script(`mkdir -p run/cilium; echo '{"name":"cilium","plugins":[{"type":"cilium-cni"}]}' > etc/cni/net.d/05-cilium.conflist
			mv etc/cni/net.d/87-podman.conflist etc/cni/net.d/87-podman.conflist.cilium_bak
mv etc/cni/net.d/10-flannel.conflist etc/cni/net.d/10-flannel.conflist.cilium_bak
			printf '# Disable rp_filter\n-net.ipv4.conf.lxc*.rp_filter = 0\n-net.ipv4.conf.cilium_*.rp_filter = 0\n%s\n' \
				'net.ipv4.conf.all.rp_filter = 0' > etc/sysctl.d/99-zzz-override_cilium.conf`)
		said := false
		for _, it := range inventory.Decide(w.survey()).Objects {
			said = said || it.Name == "/etc/cni/net.d/87-podman.conflist.cilium_bak" &&
				strings.Contains(it.Detail, "/etc/cni/net.d/87-podman.conflist")
		}
		if !said {
			w.Error("the plan does not say that the file gets its name back")
		}
		if verdict := w.remove(); verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

// What is called as what Cilium puts aside, where Cilium never was.
func TestWhatCiliumDidNotPutAsideKeepsItsName(t *testing.T) {
	const file = "/etc/cni/net.d/50-mine.conflist.cilium_bak"
	write := "echo '{\"name\":\"x\",\"plugins\":[{\"type\":\"bridge\"}]}' > ." + file
	for name, tc := range map[string]struct {
		before, after string
		state         inventory.State
	}{
		"older than the join":                  {write + "\nborn; old", "", inventory.Clean},
		"made since":                           {"", write, inventory.CleanBut},
		"older, and Cilium came with the join": {write + "\nborn; old", "mkdir -p run/cilium", inventory.Clean},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(tc.before)
				w.join()
				w.script(tc.after)
				if v := w.remove(); v.State != tc.state || !w.exists(file) || w.exists(strings.TrimSuffix(file, ".cilium_bak")) {
					w.Errorf("verdict %s, but %v; left: %s", v.State, names(v.But), w.script("ls etc/cni/net.d"))
				}
			})
		})
	}
}

func TestAFileOfCiliumsNameWithMoreInItStaysAndIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`mkdir -p etc/sysctl.d
			printf 'net.ipv4.conf.all.rp_filter = 0\nvm.swappiness = 1\n' > etc/sysctl.d/99-zzz-override_cilium.conf`)
		verdict := w.remove()
		if diff := cmp.Diff([]string{"file /etc/sysctl.d/99-zzz-override_cilium.conf"}, names(verdict.But)); diff != "" ||
			verdict.State != inventory.CleanBut || !w.exists("/etc/sysctl.d/99-zzz-override_cilium.conf") {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}

// A router of this host's is no node, and its own network no pod network,
// whatever a node writes into the API about itself.
func TestWhatANodeClaimsOfThisHostsOwnNetworkProvesNothing(t *testing.T) {
	for name, routes := range map[string]string{
		"one default route": "", "one that leads through two cards": "ip route replace default nexthop via 192.0.2.1 dev eth0 nexthop via " +
			"192.0.2.1 dev eth0 weight 2",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(routes + "\nip route add 192.168.7.0/24 via 192.0.2.1; ip route add 10.77.0.0/16 via 192.0.2.1")
				before := w.dump()
				w.join()
				target := w.target()
				target.Facts.PodCIDRs = append(target.Facts.PodCIDRs, "192.0.0.0/8", "0.0.0.0/0", "192.168.0.0/16", "10.0.0.0/7")
				target.Facts.NodeIPs = append(target.Facts.NodeIPs, "192.0.2.1", "192.0.2.99")
				_, err := target.Recipe().Run(t.Context(), nil)
				hosttest.Must(t, err)
				routes := w.script("ip route")
				if !strings.Contains(routes, "192.168.7.0/24 via 192.0.2.1") || !strings.Contains(routes, "10.77.0.0/16 via 192.0.2.1") {
					w.Errorf("routes of this host's are gone:\n%s\nbefore:\n%s", routes, before)
				}
				if !strings.Contains(routes, "10.244.9.0/24 via 192.0.2.99") {
					w.Errorf("a route of an administrator's through a router that a node claims is gone:\n%s", routes)
				}
				if _, err := netlink.LinkByName("cni0"); err == nil {
					w.Error("cni0 is still there")
				}
			})
		})
	}
}
