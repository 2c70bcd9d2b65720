// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"context"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// HostPaths are the directories of a host that its pods were given.
type HostPaths struct {
	part.Host
	// Shares are what the pods were given.
	Shares func(ctx context.Context) part.Shares
	// Ours says of a mount whether a removal unmounts it, and WrittenDown are the mountpoints
	// that an administrator has written down.
	Ours        func(mounts []host.Mount) func(host.Mount) bool
	WrittenDown func() ([]string, error)
	// Packaged says from which package a file is; empty if it is from none.
	Packaged func(ctx context.Context, path string) (string, error)
}

// Part asks what the pods left.
func (t HostPaths) Part() part.Part {
	return part.Part{ID: "hostpaths", Title: "What pods left on this host", Kind: inventory.KindMount, Look: t.look}
}

func (t HostPaths) look(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	shares := t.Shares(ctx)
	if shares.Unknown != "" {
		s.NotLookedAt(inventory.KindDir, "what pods were given of this host", shares.Unknown)
	}
	s.Missed(inventory.KindMount, "mounts that pods made", t.lookMounts(ctx, &s, shares))
	t.lookFiles(ctx, &s, shares)
	return s, nil
}
