// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// hold keeps what a running network has given its pods their addresses by. What this
// run would have chosen otherwise stays as it is, with a note; what a person asks for
// is refused: agents that start again would give addresses of another range, and
// those that have not would not know the way to them.
func (inst *Installation) hold(f facts.Facts, network catalogue.Network, person map[string]any) error {
	there, running := f.Network(network.Name)
	if !running || inst.prior.Values == nil && !inst.adopt {
		return nil
	}
	for _, fixed := range network.Fixed {
		before, had := values.At(inst.prior.Values, fixed.Path)
		if !had {
			before = fixed.Default
		}
		if fixed.Running != nil && fixed.Running(there.Setting) != nil {
			before, had = fixed.Running(there.Setting), true
		}
		after, has := values.At(inst.values, fixed.Path)
		if !has {
			after = fixed.Default
		}
		if values.Equal(map[string]any{"": before}, map[string]any{"": after}) {
			continue
		}
		if _, asked := values.At(person, fixed.Path); asked {
			return plan.Refuse(fmt.Errorf("CNI017 error: %s runs with %s=%v, and that is never changed in a running network (to %v)", network.Name,
				fixed.Path, before, after), "leave %s out; to change it, take the network off the nodes and install it again; more: kubectl "+
				"lifecycle cni explain CNI017", fixed.Path)
		}
		stays := fmt.Sprint(before)
		if before == nil {
			stays = "what the network has chosen itself"
		}
		inst.Notes = append(inst.Notes, fmt.Sprintf("%s stays %s: it is never changed in a running network (for a new one it would be %v)",
			fixed.Path, stays, after))
		inst.values = values.Without(inst.values, fixed.Path)
		if had {
			inst.values = values.Merge(inst.values, values.Tree([]values.Setting{{Path: fixed.Path, Value: before}}))
		}
	}
	return nil
}
