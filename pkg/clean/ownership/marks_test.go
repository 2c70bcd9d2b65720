// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestASignOfTheSameKindIsNoSecondOne(t *testing.T) {
	m := Marks{}
	m.Add(inventory.KubeRouter, inventory.KindRule)
	m.Add(inventory.Foreign, inventory.KindFile)
	if m.Besides(inventory.KubeRouter, inventory.KindRule, inventory.KindRoute) || m.Besides(inventory.Foreign) ||
		!m.Besides(inventory.KubeRouter, inventory.KindLink) {
		t.Errorf("marks: %v", m)
	}
	m.Merge(Marks{inventory.KubeRouter: {inventory.KindFile}})
	if !m.Besides(inventory.KubeRouter, inventory.KindRule, inventory.KindRoute) {
		t.Errorf("marks: %v", m)
	}
}
