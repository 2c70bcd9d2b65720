// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
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

// TestATokenIsRevokedWhereKubeadmHasNotBegun: nothing on the host can use it any more.
func TestATokenIsRevokedWhereKubeadmHasNotBegun(t *testing.T) {
	for name, c := range map[string]struct {
		there prep.Joined
		err   error
		want  bool
	}{
		"it has joined":                            {prep.Joined{Node: "w1"}, nil, true},
		"a finding blocks it":                      {prep.Joined{Blocked: true}, nil, false},
		"kubeadm refuses it, and prep has changed": {prep.Joined{Failed: "[ERROR Port-10250]"}, nil, false},
		"kubeadm fails after changes of prep's":    {prep.Joined{Failed: "timed out", Begun: true}, nil, true},
		"kubeadm refuses it":                       {prep.Joined{}, plan.Refuse(errors.New("x"), "y"), false},
		"kubeadm fails":                            {prep.Joined{}, plan.As(plan.Broken, errors.New("x")), true},
		"the connection breaks off":                {prep.Joined{}, errors.New("x"), true},
	} {
		if got := begun(c.there, c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
