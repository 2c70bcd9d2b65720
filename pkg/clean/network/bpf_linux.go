// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"io/fs"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
)

// attached finds the programs of a pod network on a target: the index of a link,
// the descriptor of a cgroup. Kernels that do not know this type of attachment
// have none. Those that no link holds are detached by drop.
func attached(target int, at ebpf.AttachType, in string, drop func(*ebpf.Program) error) ([]attachment, error) {
	found, err := bpflink.QueryPrograms(bpflink.QueryOptions{Target: target, Attach: at})
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENODEV) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []attachment
	for _, p := range found.Programs {
		name, owner, err := programOwner(p.ID)
		if err != nil {
			return nil, err
		}
		if owner != inventory.Foreign {
			out = append(out, attachment{owner, name, in, func() error { return detach(p, drop) }, inventory.Foreign})
		}
	}
	return out, nil
}

// programOwner is a loaded program's name, and whose it is. One that has gone
// since has no owner.
func programOwner(id ebpf.ProgramID) (name string, owner inventory.Owner, err error) {
	p, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", inventory.Foreign, nil
	}
	if err != nil {
		return "", inventory.Foreign, err
	}
	defer func() { _ = p.Close() }() // it was read
	info, err := p.Info()
	if err != nil {
		return "", inventory.Foreign, err
	}
	return info.Name, ownership.Programs().Owner(info.Name), nil
}

func detach(p bpflink.AttachedProgram, drop func(*ebpf.Program) error) error {
	if id, held := p.LinkID(); held {
		l, err := bpflink.NewFromID(id)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(l.Detach(), l.Close())
	}
	program, err := ebpf.NewProgramFromID(p.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(drop(program), program.Close())
}

// detachLinkOf detaches the link that holds a program where it is meant, and
// reports whether there is one.
func detachLinkOf(id ebpf.ProgramID, meant func(*bpflink.Info) bool) (done bool, err error) {
	all := bpflink.Iterator{}
	defer func() { err = errors.Join(err, all.Err()) }()
	for all.Next() {
		info, err := all.Link.Info()
		if err != nil || info.Program != id || !meant(info) {
			continue // one that cannot be read is not the one: that is there and ours
		}
		return true, all.Link.Detach()
	}
	return false, nil
}
