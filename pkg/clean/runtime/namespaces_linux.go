// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// perhapsPods is why a network namespace stays that may be a pod's.
const perhapsPods = "named as a container runtime names a pod's, and nothing else here shows that it is: podman 3 names its own so, too"

// Namespaces are the network namespaces that the runtime named for pods.
func (t Runtime) Namespaces() part.Part {
	return part.Part{
		ID: "netns", Kind: inventory.KindNetNS,
		Look: t.lookNamespaces,
		Take: func(ctx context.Context, report plan.Report) error {
			s, err := t.lookNamespaces(ctx)
			if err != nil {
				return err
			}
			dir := t.Resolve(inventory.NetnsDir) // a link may lead there, and mounts have their real paths
			mine := func(m host.Mount) bool {
				return slices.ContainsFunc(s.Goes(), func(it inventory.Item) bool {
					return it.Name == m.Path || filepath.Join(dir, filepath.Base(it.Name)) == m.Path
				})
			}
			if err := t.UnmountAll(ctx, mine, func(host.Mount) {}); err != nil {
				return err
			}
			for _, it := range s.Goes() {
				if err := t.Remove(it.Name); err != nil {
					return err
				}
				report("removed %s", it.Name)
			}
			return nil
		},
	}
}

func (t Runtime) lookNamespaces(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	names, err := t.Names(inventory.NetnsDir)
	if err != nil {
		return s, err
	}
	mine := podLike(names)
	pods, err := t.podNamespaces(ctx, mine)
	for _, name := range names {
		path := filepath.Join(inventory.NetnsDir, name)
		it := inventory.Item{Kind: inventory.KindNetNS, Name: path, Owner: inventory.CNIPlugins, Fate: inventory.Goes}
		switch {
		case !slices.Contains(mine, path):
			it.Owner, it.Fate, it.Why = inventory.Foreign, inventory.Stays, "not named as a container runtime names a pod's"
		case !slices.Contains(pods, path):
			it.Owner, it.Fate, it.Why, it.Refers = inventory.Foreign, inventory.Stays, perhapsPods, perhapsPods
		}
		s.Add(it)
	}
	return s, err
}
