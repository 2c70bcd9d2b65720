// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	bpflink "github.com/cilium/ebpf/link"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// program loads one that lets everything pass.
func (w *world) program(name string, kind ebpf.ProgramType, at ebpf.AttachType) *ebpf.Program {
	w.Helper()
	pass := map[ebpf.ProgramType]int32{ebpf.XDP: 2, ebpf.CGroupSockAddr: 1}[kind]
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: kind, AttachType: at, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, pass), asm.Return()},
	})
	hosttest.Must(w.T, err)
	w.Cleanup(func() { _ = p.Close() })
	return p
}

// filter runs a program on a card as a classic filter of tc.
func (w *world) filter(l netlink.Link, name string, prio uint16) {
	w.Helper()
	hosttest.Must(w.T, netlink.FilterAdd(&netlink.BpfFilter{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: l.Attrs().Index, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1,
			Protocol: unix.ETH_P_ALL, Priority: prio},
		Fd: w.program("any", ebpf.SchedCLS, ebpf.AttachNone).FD(), Name: name, DirectAction: true,
	}))
}

// tcx runs a program on a card, held by a link whose descriptor stays open.
func (w *world) tcx(l netlink.Link, name string) {
	w.Helper()
	held, err := bpflink.AttachTCX(bpflink.TCXOptions{Interface: l.Attrs().Index, Program: w.program(name, ebpf.SchedCLS,
		ebpf.AttachTCXEgress), Attach: ebpf.AttachTCXEgress})
	hosttest.Must(w.T, err)
	w.Cleanup(func() { _ = held.Close() })
}

// top makes a new group the top of the host's cgroups.
func (w *world) top() string {
	w.Helper()
	all := w.TempDir()
	real := fmt.Sprintf("%s/lifecycle-test-%d", all, time.Now().UnixNano())
	top := filepath.Join(w.dir, "sys/fs/cgroup")
	w.script("mount -t cgroup2 none " + all + "; mkdir " + real + "; mount --bind " + real + " " + top)
	w.Cleanup(func() { w.script("umount " + top + "; rmdir " + real + "; umount " + all) })
	return real
}

// attached are the programs on the eth0 of this host and on its cgroups, by the
// names that the kernel gives them.
func (w *world) attached(top string) []string {
	w.Helper()
	var ids []ebpf.ProgramID
	eth0, err := netlink.LinkByName("eth0")
	hosttest.Must(w.T, err)
	if xdp := eth0.Attrs().Xdp; xdp != nil && xdp.Attached {
		ids = append(ids, ebpf.ProgramID(xdp.ProgId))
	}
	dir, err := os.Open(top)
	hosttest.Must(w.T, err)
	defer func() { _ = dir.Close() }()
	for target, at := range map[int]ebpf.AttachType{eth0.Attrs().Index: ebpf.AttachTCXEgress, int(dir.Fd()): ebpf.AttachCGroupInet4Connect} {
		found, err := bpflink.QueryPrograms(bpflink.QueryOptions{Target: target, Attach: at})
		hosttest.Must(w.T, err)
		for _, p := range found.Programs {
			ids = append(ids, p.ID)
		}
	}
	var names []string
	for _, id := range ids {
		p, err := ebpf.NewProgramFromID(id)
		hosttest.Must(w.T, err)
		info, err := p.Info()
		hosttest.Must(w.T, err)
		names = append(names, info.Name)
		_ = p.Close()
	}
	for line := range strings.Lines(w.script("tc filter show dev eth0 ingress")) {
		if _, name, is := strings.Cut(line, "handle 0x1 "); is {
			names = append(names, strings.Fields(name)[0])
		}
	}
	slices.Sort(names)
	return names
}

func TestProgramsOfAPodNetworkAreDetachedAndThoseOfOthersRunOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		top := w.top()
		w.script("mkdir -p run/cilium var/lib/calico sys/fs/cgroup/kubepods.slice; tc qdisc add dev eth0 clsact; tc qdisc add dev eth0p clsact")
		eth0, err := netlink.LinkByName("eth0")
		hosttest.Must(t, err)
		other, err := netlink.LinkByName("eth0p")
		hosttest.Must(t, err)
		w.filter(eth0, "cil_from_netdev-eth0", 1)
		w.filter(eth0, "bpf_netdev_eth0.o:[from-netdev]", 2)
		w.filter(eth0, "their_filter", 3)
		w.filter(other, "cali_tc_preamble", 1)
		w.tcx(eth0, "cil_to_netdev")
		w.tcx(eth0, "their_tcx")
		hosttest.Must(t, netlink.LinkSetXdpFd(eth0, w.program("cil_xdp_entry", ebpf.XDP, ebpf.AttachXDP).FD()))
		xdp, err := bpflink.AttachXDP(bpflink.XDPOptions{Interface: other.Attrs().Index, Program: w.program("cil_xdp_entry", ebpf.XDP,
			ebpf.AttachXDP)})
		hosttest.Must(t, err)
		defer func() { _ = xdp.Close() }()
		dir, err := os.Open(top)
		hosttest.Must(t, err)
		defer func() { _ = dir.Close() }()
		hook := ebpf.AttachCGroupInet4Connect
		for _, name := range []string{"cil_sock4_connect", "their_connect"} {
			name = name[:min(len(name), 15)]
			hosttest.Must(t, bpflink.RawAttachProgram(bpflink.RawAttachProgramOptions{
				Target: int(dir.Fd()), Program: w.program(name, ebpf.CGroupSockAddr, hook), Attach: hook, Flags: unix.BPF_F_ALLOW_MULTI}))
		}
		held, err := bpflink.AttachCgroup(bpflink.CgroupOptions{Path: top, Attach: hook, Program: w.program("calico_connect",
			ebpf.CGroupSockAddr, hook)})
		hosttest.Must(t, err)
		defer func() { _ = held.Close() }()
		var seen int
		for _, it := range w.survey().Ours() {
			if it.Kind == inventory.KindProgram {
				seen++
			}
		}
		if seen != 8 {
			w.Errorf("the inventory has %d programs, want 8:\n%v", seen, w.survey().Ours())
		}
		verdict := w.remove() // a program of an unknown owner, loaded since the join, is named on cards
		named := []string{"bpf-program their_filter (tc ingress of eth0)", "bpf-program their_tcx (tcx egress of eth0)"}
		if diff := cmp.Diff(named, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if diff := cmp.Diff([]string{"their_connect", "their_filter", "their_tcx"}, w.attached(top)); diff != "" {
			w.Errorf("what is attached (-want +got):\n%s", diff)
		}
		if other, err := netlink.LinkByName("eth0p"); err != nil || other.Attrs().Xdp.Attached {
			w.Errorf("the program that a link held on eth0p is still there (%v)", err)
		}
		if queues := w.script("tc qdisc show dev eth0; tc qdisc show dev eth0p"); strings.Count(queues, "clsact") != 1 {
			w.Errorf("the queue of eth0 is another's, that of eth0p was the network's:\n%s", queues)
		}
	})
}

// Programs that an agent of the cluster's has pinned work on after it: they are named by their age.
func TestPinsThatCameSinceTheJoinAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p sys/fs/bpf; mount -t bpf bpf sys/fs/bpf; mkdir -p sys/fs/bpf/mine sys/fs/bpf/empty sys/fs/bpf/systemd")
		pin := func(path string) {
			hosttest.Must(w.T, w.program("any", ebpf.SchedCLS, ebpf.AttachNone).Pin(w.dir+"/sys/fs/bpf/"+path))
		}
		pin("mine/old")
		w.script("born; old")
		w.join()
		w.script("mkdir -p sys/fs/bpf/tetragon/policy")
		pin("tetragon/policy/prog")
		pin("alone")
		pin("systemd/own")
		verdict := w.remove()
		want := []string{"bpf-pin /sys/fs/bpf/alone", "bpf-pin /sys/fs/bpf/tetragon"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if !w.exists("/sys/fs/bpf/tetragon/policy/prog") || !w.exists("/sys/fs/bpf/mine/old") {
			w.Error("a pin is gone")
		}
	})
}
