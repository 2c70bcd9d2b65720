// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Filter is the packet filter of a host.
type Filter struct {
	part.Host
	// Reach asks an API server over a new connection; any answer will do. If it
	// worked before rules were deleted and does not within Grace (90 s if zero)
	// afterwards, they are brought back. Nil if it cannot be asked.
	Reach func(ctx context.Context) error
	Grace time.Duration
}
