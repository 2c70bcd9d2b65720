// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Namespaces are the network namespaces that the runtime named for pods.
func (t Runtime) Namespaces() part.Part {
	return part.Part{
		ID: "netns", Kind: inventory.KindNetNS,
		Look: t.lookNamespaces,
		Take: func(ctx context.Context, report plan.Report) error {
			owners := ownership.Mounts()
			mine := func(m host.Mount) bool {
				return host.Below(m.Path, inventory.NetnsDir) && owners.Owner(m.Path) != inventory.Foreign
			}
			if err := t.Host.UnmountAll(ctx, mine, func(host.Mount) {}); err != nil {
				return err
			}
			s, err := t.lookNamespaces(ctx)
			for _, it := range s.Goes() {
				if err := t.Host.Remove(it.Name); err != nil {
					return err
				}
				report("removed %s", it.Name)
			}
			return err
		},
	}
}

func (t Runtime) lookNamespaces(context.Context) (part.Findings, error) {
	var s part.Findings
	entries, err := os.ReadDir(t.Host.Path(inventory.NetnsDir))
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	owners := ownership.Mounts()
	for _, e := range entries {
		path := filepath.Join(inventory.NetnsDir, e.Name())
		it := inventory.Item{Kind: inventory.KindNetNS, Name: path, Owner: owners.Owner(path), Fate: inventory.Goes}
		if it.Owner == inventory.Foreign {
			it.Fate, it.Why = inventory.Stays, "not named as a container runtime names a pod's"
		}
		s.Add(it)
	}
	return s, err
}
