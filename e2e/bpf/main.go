// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

// Command bpf prints the BPF programs that run on a host, one a line: on the links of
// its network namespace and at the top of its trees of cgroups. It runs on the host,
// and shares nothing with the code that is tested. With "attach", it attaches a program
// that is named as Cilium's, at the top of a tree of cgroups, the way in which kernels
// before 5.7 do it: without a link that would take it along.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func main() {
	lines, err := []string(nil), error(nil)
	switch {
	case len(os.Args) == 1:
		lines, err = look()
	case len(os.Args) == 2 && os.Args[1] == "attach":
		err = attach()
	default:
		err = errors.New("usage: bpf [attach]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	slices.Sort(lines)
	fmt.Print(strings.Join(lines, ""))
}

func look() ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, l := range links {
		lines = append(lines, onLink(l)...)
	}
	tree, err := top()
	if err != nil {
		return nil, err
	}
	defer func() { _ = tree.Close() }()
	const most = 64 // of kinds of attachment; the kernel knows fewer
	for at := range ebpf.AttachType(most) {
		lines = append(lines, attached(int(tree.Fd()), at, "cgroups")...)
	}
	return lines, nil
}

func onLink(l netlink.Link) []string {
	name, index := l.Attrs().Name, l.Attrs().Index
	var lines []string
	for _, at := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress, ebpf.AttachNetkitPrimary, ebpf.AttachNetkitPeer} {
		lines = append(lines, attached(index, at, "link "+name)...)
	}
	if xdp := l.Attrs().Xdp; xdp != nil && xdp.Attached {
		lines = append(lines, "link "+name+" XDP\n")
	}
	for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		filters, err := netlink.FilterList(l, parent)
		if err != nil {
			continue // there is no such queue
		}
		for _, f := range filters {
			lines = append(lines, fmt.Sprintf("link %s filter %s\n", name, f.Type()))
		}
	}
	return lines
}

// attached are the programs of one kind; none where the kernel does not know it.
func attached(target int, at ebpf.AttachType, where string) []string {
	found, err := link.QueryPrograms(link.QueryOptions{Target: target, Attach: at})
	if err != nil {
		return nil
	}
	var lines []string
	for _, p := range found.Programs {
		name := "?"
		if program, err := ebpf.NewProgramFromID(p.ID); err == nil {
			if info, err := program.Info(); err == nil {
				name = info.Name
			}
			_ = program.Close()
		}
		lines = append(lines, fmt.Sprintf("%s %s %s\n", where, at, name))
	}
	return lines
}

// top opens the top of the tree of cgroups of version 2, wherever it is mounted.
func top() (*os.File, error) {
	context, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(context) }()
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(mount) }()
	dir, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dir), "cgroups"), nil
}

func attach() error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "cil_sock4_conne", Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
	})
	if err != nil {
		return err
	}
	defer func() { _ = program.Close() }()
	tree, err := top()
	if err != nil {
		return err
	}
	defer func() { _ = tree.Close() }()
	return link.RawAttachProgram(link.RawAttachProgramOptions{
		Target: int(tree.Fd()), Program: program, Attach: ebpf.AttachCGroupInet4Connect, Flags: unix.BPF_F_ALLOW_MULTI,
	})
}
