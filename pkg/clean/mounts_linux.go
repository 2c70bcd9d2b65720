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
)

// netnsDir is where network namespaces have names.
const netnsDir = "/run/netns"

// ours says of a mount whether it is Kubernetes': everything strictly below
// the kubelet's root (the root itself may be a file system of the host's),
// except what /etc/fstab mounts there, and the runtime's and network's own by
// their paths.
func (t Target) ours() func(host.Mount) bool {
	root, fixed, owners := t.root(), t.fixedMounts(), mountPatterns()
	return func(m host.Mount) bool {
		return host.Below(m.Path, root) && !slices.Contains(fixed, m.Path) || owners.owner(m.Path) != Foreign
	}
}

// fixedMounts are the mountpoints that /etc/fstab names: an administrator gave
// the pods a disk of their own, say. They are emptied, and stay mounted.
func (t Target) fixedMounts() []string {
	raw, err := os.ReadFile(t.Host.Path("/etc/fstab"))
	if err != nil {
		return nil // a host without one
	}
	var out []string
	for _, line := range strings.Split(string(raw), "\n") {
		if words := strings.Fields(line); len(words) > 1 && !strings.HasPrefix(words[0], "#") {
			out = append(out, filepath.Clean(strings.ReplaceAll(words[1], `\040`, " ")))
		}
	}
	return out
}

func (t Target) mounts() part {
	return part{
		id: "mounts", title: "Unmount what is mounted below " + t.Facts.Root(), kind: KindMount, vital: true,
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
	root, ours, door, owners := t.root(), t.ours(), t.doorIDs(ctx), mountPatterns()
	for _, m := range mounts {
		if host.Below(m.Path, netnsDir) || slices.ContainsFunc(door, func(id string) bool { return strings.Contains(m.Path, id) }) {
			continue
		}
		if !ours(m) {
			if host.Below(m.Path, root) {
				s.add(Item{Kind: KindMount, Name: m.Path, Owner: Foreign, Fate: Stays, Detail: string(m.Class()), Why: "in /etc/fstab; what is in it goes"})
			}
			continue
		}
		owner := owners.owner(m.Path)
		if host.Below(m.Path, root) {
			owner = Kubelet
		}
		s.add(Item{
			Kind: KindMount, Name: m.Path, Owner: owner, Fate: Goes,
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

// fixedBelow reports whether anything below the kubelet's root stays mounted.
func (t Target) fixedBelow() bool {
	root := t.root()
	return slices.ContainsFunc(t.fixedMounts(), func(path string) bool { return host.Below(path, root) && t.mounted(path) })
}

func (t Target) unmount(ctx context.Context, report plan.Report) error {
	ours := t.ours()
	err := t.Host.UnmountAll(ctx, func(m host.Mount) bool { return ours(m) && !host.Below(m.Path, netnsDir) },
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
		id: "netns", title: "Remove the pods' network namespaces", kind: KindNetNS,
		look: t.lookNamespaces,
		take: func(ctx context.Context, report plan.Report) error {
			owners := mountPatterns()
			mine := func(m host.Mount) bool { return host.Below(m.Path, netnsDir) && owners.owner(m.Path) != Foreign }
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
	entries, err := os.ReadDir(t.Host.Path(netnsDir))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	owners := mountPatterns()
	for _, e := range entries {
		path := filepath.Join(netnsDir, e.Name())
		it := Item{Kind: KindNetNS, Name: path, Owner: owners.owner(path), Fate: Goes}
		if it.Owner == Foreign {
			it.Fate, it.Why = Stays, "not named as a container runtime names a pod's"
		}
		s.add(it)
	}
	return s, err
}

// noMounts returns an error unless nothing is mounted below any of some
// directories: the promise to programs that delete by path.
func (t Target) noMounts(dirs ...string) error {
	mounts, err := t.Host.Mounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		for _, dir := range dirs {
			if host.Below(m.Path, dir) || (m.Path == dir && dir != t.root()) {
				return fmt.Errorf("%s is mounted: %w", m.Path, host.ErrMounted)
			}
		}
	}
	return nil
}

// mounted reports whether a directory is a mount of its own, or nobody knows.
func (t Target) mounted(dir string) bool {
	mounts, err := t.Host.Mounts()
	return err != nil || slices.ContainsFunc(mounts, func(m host.Mount) bool { return m.Path == dir })
}
