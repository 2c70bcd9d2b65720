// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netlinks"
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
func (t Network) onFilters(l link) ([]attachment, error) {
	queue, err := clsact(l)
	if err != nil || queue == nil {
		return nil, err
	}
	var out []attachment
	for _, side := range sides() {
		filters, err := netlinks.Dump(func() ([]netlink.Filter, error) { return netlink.FilterList(l.Link, side.parent) })
		if err != nil {
			return nil, err
		}
		for _, f := range filters {
			bpf, is := f.(*netlink.BpfFilter)
			if !is {
				continue
			}
			in := "tc " + side.name + " of " + l.Name()
			if owner := ownership.Programs().Owner(bpf.Name); owner != inventory.Foreign {
				out = append(out, attachment{owner, bpf.Name, in, func() error { return dropFilter(l, f, queue) }, inventory.Foreign, ""})
			} else if t.loadedSince(ebpf.ProgramID(bpf.Id)) {
				out = append(out, stranger(bpf.Name, in))
			}
		}
	}
	return out, nil
}

// clsact is the queue of a link that filters are on; nil if it has none.
func clsact(l link) (netlink.Qdisc, error) {
	queues, err := netlinks.Dump(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(l.Link) })
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
		rest, err := netlinks.Dump(func() ([]netlink.Filter, error) { return netlink.FilterList(l.Link, side.parent) })
		if err != nil || len(rest) > 0 {
			return err
		}
	}
	return netlink.QdiscDel(queue)
}

// onXDP finds the program that a card runs before everything else.
func (t Network) onXDP(l link) ([]attachment, error) {
	xdp := l.Attrs().Xdp
	if xdp == nil || !xdp.Attached {
		return nil, nil
	}
	id := ebpf.ProgramID(xdp.ProgId)
	name, owner, err := programOwner(id)
	if err == nil && owner == inventory.Foreign && t.loadedSince(id) {
		return []attachment{stranger(name, "XDP of "+l.Name())}, nil
	}
	if err != nil || owner == inventory.Foreign {
		return nil, err
	}
	return []attachment{{owner, name, "XDP of " + l.Name(), func() error {
		done, err := detachLinkOf(id, func(info *bpflink.Info) bool {
			return info.XDP() != nil && info.XDP().Ifindex == uint32(l.Attrs().Index)
		})
		if err != nil || done {
			return err
		}
		const mode = unix.XDP_FLAGS_SKB_MODE | unix.XDP_FLAGS_DRV_MODE | unix.XDP_FLAGS_HW_MODE
		return netlink.LinkSetXdpFdWithFlags(l.Link, -1, int(xdp.Flags&mode))
	}, inventory.Foreign, ""}}, nil
}

// onTCX finds what has taken the place of filters since Linux 6.6.
func (t Network) onTCX(l link) ([]attachment, error) {
	var out []attachment
	index := l.Attrs().Index
	for _, side := range sides() {
		found, err := t.attached(index, side.attach, "tcx "+side.name+" of "+l.Name(), func(p *ebpf.Program) error {
			return bpflink.RawDetachProgram(bpflink.RawDetachProgramOptions{Target: index, Program: p, Attach: side.attach})
		})
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
