// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Found is what each part finds that goes, by the part's id.
func (t Target) Found(ctx context.Context) map[string][]inventory.Item {
	out := map[string][]inventory.Item{}
	for _, p := range t.ready().parts() {
		if p.Look != nil {
			s, _ := p.Look(ctx)
			out[p.ID] = s.Goes()
		}
	}
	return out
}
