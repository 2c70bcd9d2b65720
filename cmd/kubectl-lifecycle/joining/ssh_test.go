// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
)

// TestATokenStaysOnlyWhereItsHostMayStillCome is the rule of join --wait and of join
// --ssh: a token that is not needed any more, or is in wrong hands, is revoked.
func TestATokenStaysOnlyWhereItsHostMayStillCome(t *testing.T) {
	for name, c := range map[string]struct {
		stage arrival.Stage
		err   error
		want  bool
	}{
		"the host has not been heard of":       {0, context.DeadlineExceeded, true},
		"its node is registered":               {arrival.Registered, context.DeadlineExceeded, false},
		"it asks for the name of a Ready node": {0, fmt.Errorf("join: %w", arrival.ErrNameTaken), false},
	} {
		if got := mayCome(arrival.Arrival{Stage: c.stage}, c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
