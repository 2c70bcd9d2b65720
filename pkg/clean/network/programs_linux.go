// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	bpflink "github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// attachment is a BPF program where a pod network has attached it on something
// that stays: a network card, the top of the cgroups.
type attachment struct {
	owner    inventory.Owner
	name, in string
	detach   func() error
	// perhaps is the network that it is named after, where nothing else shows that
	// it is that network's.
	perhaps inventory.Owner
	// how says why one that is named after no network's is named.
	how string
}

// Programs are detached before the maps that they use lose their pins: a program
// whose tail calls are gone drops every packet of the card that it is on
// (cilium/cilium#30609).
func (t Network) Programs() part.Part {
	return part.Part{
		ID: "programs", Kind: inventory.KindProgram, Look: t.lookPrograms,
		Take: func(ctx context.Context, report plan.Report) error {
			all, err := t.attachments()
			if err != nil {
				return err
			}
			for _, a := range all {
				if a.owner == inventory.Foreign {
					continue
				}
				if err := a.detach(); err != nil {
					return fmt.Errorf("detach %s from %s: %w", a.name, a.in, err)
				}
				report("detached %s from %s", a.name, a.in)
			}
			return part.Left(ctx, t.lookPrograms)
		},
	}
}

func (t Network) lookPrograms(context.Context) (part.Findings, error) {
	var s part.Findings
	all, err := t.attachments()
	for _, a := range all {
		it := inventory.Item{Kind: inventory.KindProgram, Name: a.name, In: a.in, Owner: a.owner, Fate: inventory.Goes}
		if a.owner == inventory.Foreign {
			it.Fate, it.Why, it.Refers = inventory.Stays, ownership.PerhapsWhy(a.perhaps), ownership.PerhapsWhy(a.perhaps)
			if a.how != "" {
				it.Why, it.Refers = "nothing shows who loaded it; detach it if nothing on this host needs it", a.how
			}
		}
		s.Add(it)
	}
	return s, err
}

// attachments finds them in this network namespace and this tree of cgroups:
// those of a cluster that runs in containers on this host are elsewhere.
func (t Network) attachments() ([]attachment, error) {
	links, err := t.All()
	if err != nil {
		return nil, err
	}
	var out []attachment
	for _, l := range links {
		if l.Owner != inventory.Foreign && t.Scope.TakesLink(l.Owner) {
			continue // they go with it
		}
		for _, find := range []func(link) ([]attachment, error){t.onFilters, t.onXDP, t.onTCX} {
			found, err := find(l)
			if err != nil {
				return nil, fmt.Errorf("list the BPF programs on link %s: %w", l.Name(), err)
			}
			out = append(out, found...)
		}
	}
	found, err := t.onCgroups()
	out = slices.DeleteFunc(append(out, found...), func(a attachment) bool { return !t.Scope.Takes(a.owner) })
	for i, a := range out {
		if a.how == "" && !t.Second(a.owner, inventory.KindProgram) {
			out[i].owner, out[i].perhaps = inventory.Foreign, a.owner
		}
	}
	return out, err
}

// attached finds the programs of a pod network on a target: the index of a link,
// the descriptor of a cgroup. Kernels that do not know this type of attachment
// have none. Those that no link holds are detached by drop.
func (t Network) attached(target int, at ebpf.AttachType, in string, drop func(*ebpf.Program) error) ([]attachment, error) {
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
			out = append(out, attachment{owner, name, in, func() error { return detach(p, drop) }, inventory.Foreign, ""})
		} else if strings.HasPrefix(in, "tcx ") && t.loadedSince(p.ID) {
			out = append(out, stranger(name, in))
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

// stranger is a program whose owner is not known, which an agent of the cluster's may have
// left: it is ended without its hooks.
func stranger(name, in string) attachment {
	return attachment{inventory.Foreign, name, in, func() error { return nil }, inventory.Foreign,
		"it was loaded since the join, and works on"}
}

// loadedSince reports whether a program was loaded since the join; false where that cannot be
// told. Where one network leaves a node, only what is that network's is of interest.
func (t Network) loadedSince(id ebpf.ProgramID) bool {
	if t.Facts.Joined.IsZero() || t.Scope.Limited() {
		return false
	}
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return false
	}
	defer func() { _ = p.Close() }() // it was read
	info, err := p.Info()
	if err != nil {
		return false
	}
	at, known := info.LoadTime()
	var now unix.Timespec
	if !known || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return false
	}
	return time.Now().Add(at - time.Duration(now.Nano())).After(t.Facts.Joined)
}
