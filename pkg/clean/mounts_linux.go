// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// ours says of a mount whether it is Kubernetes': what is mounted below the directories
// that a kubelet makes in its root, and the runtime's and network's own by their paths.
// What is mounted at one of those directories, or is in /etc/fstab or a mount unit of
// systemd's, an administrator has given to it, and it stays mounted.
func (t Target) ours(mounts []host.Mount) func(host.Mount) bool {
	domains, owners, places := t.domains(mounts), mountPatterns(), t.places()
	fixed := t.fixedMounts(domains)
	return func(m host.Mount) bool {
		return !slices.Contains(fixed, m.Path) && slices.ContainsFunc(domains, func(d domain) bool { return d.holds(m.Path) }) ||
			owners.owner(places.usual(m.Path)) != inventory.Foreign
	}
}

// fixedMounts are the mountpoints that an administrator has written down: in
// /etc/fstab, or as units of systemd's. Those that lead through a link to a kubelet's
// directory have the kernel's path, too. None of them is looked at: that may hang.
func (t Target) fixedMounts(domains []domain) []string {
	out := mountpoints(string(t.text("/etc/fstab")))
	for _, dir := range unitDirs() {
		for _, path := range append(t.listed(dir, ".mount"), t.listed(dir, ".automount")...) {
			if where := whereOf(string(t.text(path))); where != "" {
				out = append(out, where)
			}
		}
	}
	links := map[string]string{t.places().Root: t.root(), inventory.DefaultKubeletRoot: t.kubeadmDir()}
	for _, d := range domains {
		links[d.link] = d.path
	}
	for range 2 { // a link below one
		for _, path := range slices.Clone(out) {
			for link, real := range links {
				if rest, below := strings.CutPrefix(path, link+"/"); link != "" && below && link != real {
					out = append(out, filepath.Join(real, rest))
				}
			}
		}
	}
	return out
}

func (t Target) mounts() part {
	return part{
		id: "mounts", title: "Unmount what is mounted for pods", kind: inventory.KindMount, vital: true,
		look: t.lookMounts, take: t.unmount,
	}
}

// lookMounts lists our mounts. Network namespaces are their own part.
func (t Target) lookMounts(ctx context.Context) (sight, error) {
	var s sight
	mounts, err := t.Host.Mounts()
	if err != nil {
		return s, err
	}
	roots, ours, door, owners, places := t.roots(), t.ours(mounts), t.doorIDs(ctx), mountPatterns(), t.places()
	below := func(m host.Mount) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return host.Below(m.Path, root) })
	}
	for _, m := range mounts {
		if host.Below(m.Path, inventory.NetnsDir) || slices.ContainsFunc(door, func(id string) bool { return strings.Contains(m.Path, id) }) {
			continue
		}
		if !ours(m) {
			if below(m) {
				s.add(inventory.Item{Kind: inventory.KindMount, Name: m.Path, Owner: inventory.Foreign, Fate: inventory.Stays, Detail: string(m.Class()), Why: "an administrator's, and not a pod's"})
			}
			continue
		}
		owner := owners.owner(places.usual(m.Path))
		if owner == inventory.Foreign {
			owner = inventory.Kubelet
		}
		s.add(inventory.Item{
			Kind: inventory.KindMount, Name: m.Path, Owner: owner, Fate: inventory.Goes,
			Detail: fmt.Sprintf("%s, %s from %s%s", m.Class(), m.FSType, m.Source, boundAt(m)),
		})
	}
	return s, nil
}

// boundAt says which directory of its file system a bind mount shows.
func boundAt(m host.Mount) string {
	if m.Root == "/" {
		return ""
	}
	return ", at " + m.Root
}

func (t Target) unmount(ctx context.Context, report plan.Report) error {
	mounts, err := t.Host.Mounts()
	if err != nil {
		return err
	}
	ours := t.ours(mounts)
	err = t.Host.UnmountAll(ctx, func(m host.Mount) bool { return ours(m) && !host.Below(m.Path, inventory.NetnsDir) },
		func(m host.Mount) { report("unmounted %s (%s)", m.Path, m.Class()) })
	if busy := (*host.BusyError)(nil); errors.As(err, &busy) {
		return plan.Hint(err, "end what uses it, then retry")
	}
	if err != nil {
		return err
	}
	return left(ctx, t.lookMounts)
}

// namespaces are the network namespaces that the runtime named for pods.
func (t Target) namespaces() part {
	return part{
		id: "netns", title: "Remove the pods' network namespaces", kind: inventory.KindNetNS,
		look: t.lookNamespaces,
		take: func(ctx context.Context, report plan.Report) error {
			owners := mountPatterns()
			mine := func(m host.Mount) bool {
				return host.Below(m.Path, inventory.NetnsDir) && owners.owner(m.Path) != inventory.Foreign
			}
			if err := t.Host.UnmountAll(ctx, mine, func(host.Mount) {}); err != nil {
				return err
			}
			s, err := t.lookNamespaces(ctx)
			for _, it := range s.goes() {
				if err := t.Host.Remove(it.Name); err != nil {
					return err
				}
				report("removed %s", it.Name)
			}
			return err
		},
	}
}

func (t Target) lookNamespaces(context.Context) (sight, error) {
	var s sight
	entries, err := os.ReadDir(t.Host.Path(inventory.NetnsDir))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	owners := mountPatterns()
	for _, e := range entries {
		path := filepath.Join(inventory.NetnsDir, e.Name())
		it := inventory.Item{Kind: inventory.KindNetNS, Name: path, Owner: owners.owner(path), Fate: inventory.Goes}
		if it.Owner == inventory.Foreign {
			it.Fate, it.Why = inventory.Stays, "not named as a container runtime names a pod's"
		}
		s.add(it)
	}
	return s, err
}

// mounted reports whether a directory is a mount of its own, or nobody knows.
func (t Target) mounted(dir string) bool {
	mounts, err := t.Host.Mounts()
	return err != nil || slices.ContainsFunc(mounts, func(m host.Mount) bool { return m.Path == dir })
}
