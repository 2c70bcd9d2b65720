// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"context"

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
