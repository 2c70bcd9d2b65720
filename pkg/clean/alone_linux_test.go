// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
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
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// Cilium and Calico run on hosts without Kubernetes, too, and programs of theirs prove each
// other nothing, however many there are: without another sign they run on, and are named.
func TestProgramsThatAreOnlyNamedAsANetworksRunOnAndAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		top := w.top()
		w.script("mkdir -p sys/fs/cgroup/kubepods.slice; tc qdisc add dev eth0 clsact")
		eth0, err := netlink.LinkByName("eth0")
		hosttest.Must(t, err)
		w.filter(eth0, "cil_from_netdev-eth0", 1)
		w.filter(eth0, "bpf_host.o:[to-netdev]", 2)
		w.filter(eth0, "cali_tc_preamble", 3)
		w.tcx(eth0, "cil_to_netdev")
		w.tcx(eth0, "cali_tc_main")
		hosttest.Must(t, netlink.LinkSetXdpFd(eth0, w.program("cil_xdp_entry", ebpf.XDP, ebpf.AttachXDP).FD()))
		dir, err := os.Open(top)
		hosttest.Must(t, err)
		defer func() { _ = dir.Close() }()
		hook := ebpf.AttachCGroupInet4Connect
		for _, name := range []string{"cil_sock4_conn", "calico_connect"} {
			hosttest.Must(t, bpflink.RawAttachProgram(bpflink.RawAttachProgramOptions{
				Target: int(dir.Fd()), Program: w.program(name, ebpf.CGroupSockAddr, hook), Attach: hook, Flags: unix.BPF_F_ALLOW_MULTI}))
		}
		before := w.attached(top)
		verdict := w.remove()
		if diff := cmp.Diff(before, w.attached(top)); diff != "" || len(before) != 8 {
			w.Errorf("attached are %d (-before +after):\n%s", len(before), diff)
		}
		want := []string{
			"bpf-program bpf_host.o:[to-netdev] (tc ingress of eth0)", "bpf-program cali_tc_main (tcx egress of eth0)",
			"bpf-program cali_tc_preamble (tc ingress of eth0)", "bpf-program calico_connect (/sys/fs/cgroup)",
			"bpf-program cil_from_netdev-eth0 (tc ingress of eth0)", "bpf-program cil_sock4_conn (/sys/fs/cgroup)",
			"bpf-program cil_to_netdev (tcx egress of eth0)", "bpf-program cil_xdp_entry (XDP of eth0)",
		}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut || len(verdict.Lost) > 0 {
			w.Errorf("verdict %s, lost %v (-want +got):\n%s", verdict.State, verdict.Lost, diff)
		}
		for _, it := range verdict.But {
			if it.Refers != ownership.PerhapsWhy(inventory.Cilium) && it.Refers != ownership.PerhapsWhy(inventory.Calico) {
				w.Errorf("%v: %s", it, it.Refers)
			}
		}
	})
}

// What the first program that uses tc makes in the BPF file system, and that file system, which
// Cilium mounts where systemd does not, stay empty, and are said to be harmless where Cilium was.
func TestWhatIsEmptyInTheFileSystemOfBPFIsHarmlessWhereCiliumWas(t *testing.T) {
	const mount, globals = "mount /sys/fs/bpf", "bpf-pin /sys/fs/bpf/tc/globals"
	for name, tc := range map[string]struct {
		pin    string // an administrator's, from before the join
		cilium string // what Cilium has left
		want   []string
	}{
		"Cilium was here":                      {"", "mkdir -p run/cilium sys/fs/bpf/cilium", []string{globals, mount}},
		"Cilium never was":                     {"", "", nil},
		"a directory called as Cilium's alone": {"", "mkdir -p sys/fs/bpf/cilium", nil},
		"a map of a person's is in it":         {"tc/globals/mine", "mkdir -p run/cilium", []string{mount}},
		"a map of a person's is beside it":     {"mine", "mkdir -p run/cilium", []string{globals, mount}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script("mkdir -p sys/fs/bpf; mount -t bpf bpf sys/fs/bpf; mkdir -p sys/fs/bpf/tc/globals")
				if tc.pin != "" {
					hosttest.Must(w.T, w.program("any", ebpf.SchedCLS, ebpf.AttachNone).Pin(w.dir+"/sys/fs/bpf/"+tc.pin))
				}
				w.script("born; old")
				w.join()
				w.script(tc.cilium)
				verdict := w.remove()
				var got []string
				for _, name := range names(verdict.Harmless) {
					if strings.Contains(name, "/sys/fs/bpf") {
						got = append(got, name)
					}
				}
				if diff := cmp.Diff(tc.want, got); diff != "" || len(verdict.Lost) > 0 || !verdict.State.Done() {
					w.Errorf("verdict %s, lost %v (-want +got):\n%s", verdict.State, verdict.Lost, diff)
				}
				if tc.want != nil && (verdict.State != inventory.Clean || w.exists("/sys/fs/bpf/cilium")) {
					w.Errorf("verdict %s, but %v", verdict.State, verdict.But)
				}
				if !w.exists("/sys/fs/bpf/tc/globals") || tc.pin != "" && !w.exists("/sys/fs/bpf/"+tc.pin) {
					w.Error("it is gone")
				}
			})
		})
	}
}

// Each parameter of the kernel's that Cilium sets is told while it has Cilium's value, and no
// longer; of another network none is.
func TestEachParameterThatCiliumSetsIsTold(t *testing.T) {
	set := map[string][2]string{ // Cilium's value, and another
		"net.ipv4.conf.all.rp_filter": {"0", "1"}, "net.ipv4.fib_multipath_use_neigh": {"1", "0"}, "net.core.bpf_jit_enable": {"1", "0"},
		"kernel.timer_migration": {"0", "1"}, "kernel.unprivileged_bpf_disabled": {"1", "2"}, "net.ipv4.ip_early_demux": {"0", "1"},
		"net.core.fb_tunnels_only_for_init_net": {"2", "0"}, "net.core.default_qdisc": {"fq", "fq_codel"},
		"net.ipv4.tcp_congestion_control": {"bbr", "cubic"}, "net.ipv4.tcp_slow_start_after_idle": {"0", "1"},
	}
	inWorld(t, func(w *world) {
		w.join()
		w.script(ciliumLeft)
		var want []string
		for name := range set {
			want = append(want, name)
		}
		slices.Sort(want)
		for i, told := range [][]string{want, nil} {
			for name, values := range set {
				path := "proc/sys/" + strings.ReplaceAll(name, ".", "/")
				w.script(fmt.Sprintf("mkdir -p $(dirname %s); echo %s > %[1]s", path, values[i]))
			}
			for owner, want := range map[inventory.Owner][]string{inventory.Cilium: told, inventory.Flannel: nil} {
				inv, err := w.scoped(owner).Survey(w.Context())
				hosttest.Must(w.T, err)
				var got []string
				for _, it := range inv.With(inventory.Harmless) {
					if it.Kind == inventory.KindSysctl {
						got = append(got, it.Name)
					}
				}
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					w.Errorf("of %s, with the values %d (-want +got):\n%s", owner, i, diff)
				}
			}
		}
	})
}
