// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// groupTop is a cgroup at which programs may be attached for all below it: the
// top of a tree of version 2 as this host has it mounted.
type groupTop struct {
	name string
	open func() (*os.File, error)
}

// cgroupTops are the tops of all trees of version 2: the host's own, the one that
// systemd mounts beside version 1 (hybrid hosts), those that networks mount for
// themselves, and the tree itself where none of these is mounted (any more): a
// program that was attached without a link, as kernels before 5.7 do it, outlives
// the mount through which that was done.
func (t Network) cgroupTops() ([]groupTop, error) {
	mounts, err := t.Mounts()
	if err != nil {
		return nil, err
	}
	paths := []string{inventory.CgroupDir}
	for _, m := range mounts {
		if m.FSType == "cgroup2" && m.Path != inventory.CgroupDir {
			paths = append(paths, m.Path)
		}
	}
	var out []groupTop
	for _, path := range paths {
		out = append(out, groupTop{path, func() (*os.File, error) { return os.Open(t.Path(path)) }})
	}
	if t.Root == "" {
		out = append(out, groupTop{"the tree of cgroups", openTree})
	}
	return out, nil
}

// openTree opens the top of the tree of version 2 without mounting it anywhere
// (Linux 5.2).
func openTree() (*os.File, error) {
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
	top, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(top), "cgroup2"), nil
}

// onCgroups finds what runs for every process of the host: the translation of
// services at the socket. A stale one sends connections to addresses that are
// other pods' by now (cilium/cilium#17292).
func (t Network) onCgroups() ([]attachment, error) {
	tops, err := t.cgroupTops()
	if err != nil {
		return nil, err
	}
	var out []attachment
	var seen []uint64
	for _, top := range tops {
		err := top.at(func(dir *os.File, number uint64) error {
			if slices.Contains(seen, number) {
				return nil
			}
			seen = append(seen, number)
			for _, at := range socketHooks() {
				found, err := t.attached(int(dir.Fd()), at, top.name, func(p *ebpf.Program) error { return top.detach(p, at) })
				if err != nil {
					return err
				}
				out = append(out, found...)
			}
			return nil
		})
		if err != nil {
			return out, fmt.Errorf("list the BPF programs on %s: %w", top.name, err)
		}
	}
	return out, nil
}

// socketHooks are where networks translate the addresses of services.
func socketHooks() []ebpf.AttachType {
	return []ebpf.AttachType{
		ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupInet6Connect, ebpf.AttachCGroupUDP4Sendmsg, ebpf.AttachCGroupUDP6Sendmsg,
		ebpf.AttachCGroupUDP4Recvmsg, ebpf.AttachCGroupUDP6Recvmsg, ebpf.AttachCgroupInet4GetPeername, ebpf.AttachCgroupInet6GetPeername,
		ebpf.AttachCGroupInet4PostBind, ebpf.AttachCGroupInet6PostBind, ebpf.AttachCGroupInet4Bind, ebpf.AttachCGroupInet6Bind,
		ebpf.AttachCgroupInetSockRelease, ebpf.AttachCGroupInetSockCreate, ebpf.AttachCGroupSockOps,
		ebpf.AttachCGroupInetIngress, ebpf.AttachCGroupInetEgress,
	}
}

// at opens the top; its number is that of its directory. One that is not there, or
// of version 1, has no programs.
func (g groupTop) at(do func(dir *os.File, number uint64) error) error {
	dir, err := g.open()
	if errors.Is(err, os.ErrNotExist) || g.name[0] != '/' && err != nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // it was read
	var kind unix.Statfs_t
	var stat unix.Stat_t
	if err := cmp.Or(unix.Fstatfs(int(dir.Fd()), &kind), unix.Fstat(int(dir.Fd()), &stat)); err != nil {
		return err
	}
	if kind.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil
	}
	return do(dir, stat.Ino)
}

// detach detaches a program from the top. Kernels do not tell of all of them
// whether a link holds them there.
func (g groupTop) detach(p *ebpf.Program, at ebpf.AttachType) error {
	return g.at(func(dir *os.File, number uint64) error {
		info, err := p.Info()
		if err != nil {
			return err
		}
		id, _ := info.ID()
		done, err := detachLinkOf(id, func(info *bpflink.Info) bool {
			return info.Cgroup() != nil && info.Cgroup().CgroupId == number && uint32(info.Cgroup().AttachType) == uint32(at)
		})
		if err != nil || done {
			return err
		}
		return bpflink.RawDetachProgram(bpflink.RawDetachProgramOptions{Target: int(dir.Fd()), Program: p, Attach: at})
	})
}
