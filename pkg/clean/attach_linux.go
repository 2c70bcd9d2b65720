// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"errors"
	"os"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// side is one of the two places on a card at which filters run.
type side struct {
	name   string
	parent uint32
	attach ebpf.AttachType
}

func sides() []side {
	return []side{{"ingress", netlink.HANDLE_MIN_INGRESS, ebpf.AttachTCXIngress}, {"egress", netlink.HANDLE_MIN_EGRESS, ebpf.AttachTCXEgress}}
}

// onFilters finds classic filters of tc. The last one that goes takes the queue
// along that was made for it.
func onFilters(l link) ([]attachment, error) {
	queue, err := clsact(l)
	if err != nil || queue == nil {
		return nil, err
	}
	var out []attachment
	for _, side := range sides() {
		filters, err := dump(func() ([]netlink.Filter, error) { return netlink.FilterList(l.Link, side.parent) })
		if err != nil {
			return nil, err
		}
		for _, f := range filters {
			bpf, is := f.(*netlink.BpfFilter)
			if !is {
				continue
			}
			if owner := programPatterns().owner(bpf.Name); owner != Foreign {
				out = append(out, attachment{owner, bpf.Name, "tc " + side.name + " of " + l.name(), func() error { return dropFilter(l, f, queue) }})
			}
		}
	}
	return out, nil
}

// clsact is the queue of a link that filters are on; nil if it has none.
func clsact(l link) (netlink.Qdisc, error) {
	queues, err := dump(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(l.Link) })
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		if q.Type() == "clsact" {
			return q, nil
		}
	}
	return nil, nil
}

func dropFilter(l link, f netlink.Filter, queue netlink.Qdisc) error {
	if err := netlink.FilterDel(f); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	for _, side := range sides() {
		rest, err := dump(func() ([]netlink.Filter, error) { return netlink.FilterList(l.Link, side.parent) })
		if err != nil || len(rest) > 0 {
			return err
		}
	}
	return netlink.QdiscDel(queue)
}

// onXDP finds the program that a card runs before everything else.
func onXDP(l link) ([]attachment, error) {
	xdp := l.Attrs().Xdp
	if xdp == nil || !xdp.Attached {
		return nil, nil
	}
	id := ebpf.ProgramID(xdp.ProgId)
	name, owner, err := programOwner(id)
	if err != nil || owner == Foreign {
		return nil, err
	}
	return []attachment{{owner, name, "XDP of " + l.name(), func() error {
		done, err := detachLinkOf(id, func(info *bpflink.Info) bool {
			return info.XDP() != nil && info.XDP().Ifindex == uint32(l.Attrs().Index)
		})
		if err != nil || done {
			return err
		}
		const mode = unix.XDP_FLAGS_SKB_MODE | unix.XDP_FLAGS_DRV_MODE | unix.XDP_FLAGS_HW_MODE
		return netlink.LinkSetXdpFdWithFlags(l.Link, -1, int(xdp.Flags&mode))
	}}}, nil
}

// onTCX finds what has taken the place of filters since Linux 6.6.
func onTCX(l link) ([]attachment, error) {
	var out []attachment
	index := l.Attrs().Index
	for _, side := range sides() {
		found, err := attached(index, side.attach, "tcx "+side.name+" of "+l.name(), func(p *ebpf.Program) error {
			return bpflink.RawDetachProgram(bpflink.RawDetachProgramOptions{Target: index, Program: p, Attach: side.attach})
		})
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// onCgroups finds what runs for every process of the host: the translation of
// services at the socket. A stale one sends connections to addresses that are
// other pods' by now (cilium/cilium#17292).
func (t Target) onCgroups() ([]attachment, error) {
	var kind unix.Statfs_t
	if err := unix.Statfs(t.Host.Path(cgroupDir), &kind); err != nil || kind.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, nil //nolint:nilerr // version 1 has none of them at its top
	}
	var out []attachment
	err := t.atTop(func(top *os.File, _ uint64) error {
		for _, at := range socketHooks() {
			found, err := attached(int(top.Fd()), at, cgroupDir, func(p *ebpf.Program) error { return t.detachTop(p, at) })
			if err != nil {
				return err
			}
			out = append(out, found...)
		}
		return nil
	})
	return out, err
}

// socketHooks are where networks translate the addresses of services.
func socketHooks() []ebpf.AttachType {
	return []ebpf.AttachType{
		ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupInet6Connect, ebpf.AttachCGroupUDP4Sendmsg, ebpf.AttachCGroupUDP6Sendmsg,
		ebpf.AttachCGroupUDP4Recvmsg, ebpf.AttachCGroupUDP6Recvmsg, ebpf.AttachCgroupInet4GetPeername, ebpf.AttachCgroupInet6GetPeername,
		ebpf.AttachCGroupInet4PostBind, ebpf.AttachCGroupInet6PostBind, ebpf.AttachCGroupInet4Bind, ebpf.AttachCGroupInet6Bind,
		ebpf.AttachCgroupInetSockRelease, ebpf.AttachCGroupInetSockCreate,
	}
}

// atTop opens the top of the cgroups; its number is that of its directory.
func (t Target) atTop(do func(top *os.File, number uint64) error) error {
	top, err := os.Open(t.Host.Path(cgroupDir))
	if err != nil {
		return err
	}
	defer func() { _ = top.Close() }() // it was read
	var stat unix.Stat_t
	if err := unix.Fstat(int(top.Fd()), &stat); err != nil {
		return err
	}
	return do(top, stat.Ino)
}

// detachTop detaches a program from the top of the cgroups. Kernels do not tell
// of all of them whether a link holds them there.
func (t Target) detachTop(p *ebpf.Program, at ebpf.AttachType) error {
	return t.atTop(func(top *os.File, number uint64) error {
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
		return bpflink.RawDetachProgram(bpflink.RawDetachProgramOptions{Target: int(top.Fd()), Program: p, Attach: at})
	})
}
