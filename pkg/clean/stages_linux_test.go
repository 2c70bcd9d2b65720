// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// A stage without a part would be skipped in silence, and so would a part that is in no
// stage.
func TestEachStageHasItsPart(t *testing.T) {
	var stages, parts []string
	for _, s := range inventory.Stages() {
		stages = append(stages, s.ID)
	}
	ordered := Target{}.parts()
	for _, p := range ordered {
		if p.Take != nil {
			parts = append(parts, p.ID)
		}
		if p.Title == "" {
			t.Errorf("part %s has no title", p.ID)
		}
	}
	if diff := cmp.Diff(stages, parts); diff != "" {
		t.Errorf("(-stages +parts):\n%s", diff)
	}
	if all := (Target{}).unordered(); len(all) != len(stages) {
		t.Errorf("%d parts remove something, and there are %d stages", len(all), len(stages))
	}
}
