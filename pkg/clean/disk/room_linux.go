// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Disk is what a host has mounted, and its files.
type Disk struct {
	part.Host
	// Credentials finds the node's credentials, which go later than other files.
	Credentials func(ctx context.Context) (part.Findings, error)
	// Door are the ids of the pod through which one only looks: its mounts stay.
	Door func(ctx context.Context) []string
	// AddData adds the data of an etcd member that leaves, and MayDiscard refuses to
	// delete that of one that has not left.
	AddData    func(s *part.Findings)
	MayDiscard func(ctx context.Context, it inventory.Item) error
}

// listed are the names in a directory, up to a bound; where there are more, it says so.
func (t Disk) listed(s *part.Findings, dir string, most int) (out []string) {
	entries, more, err := t.Some(t.Resolve(dir), most)
	if !errors.Is(err, fs.ErrNotExist) {
		s.Missed(inventory.KindDir, dir, err)
	}
	if more {
		s.NotLookedAt(inventory.KindDir, dir, fmt.Sprintf("in part; it has more than %d entries", most))
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}
