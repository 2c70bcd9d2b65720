// SPDX-License-Identifier: Apache-2.0

package upgradeplan

import (
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

// Plan is what is said of an upgrade.
type Plan struct {
	// From is what is served, To the target.
	From string `json:"from"`
	To   string `json:"to"`
	// Ready says that nothing stands in the way but notes.
	Ready bool `json:"ready"`
	// ControlPlanes and Workers are in the order in which they go; LeftOut are not Ready.
	ControlPlanes []string          `json:"controlPlanes"`
	Workers       []string          `json:"workers"`
	LeftOut       []string          `json:"leftOut,omitempty"`
	Findings      []finding.Finding `json:"findings"`
}

// Make says what stands in the way of a target, and in which order the nodes go. It is pure.
func Make(f upgrade.Facts, target upgrade.Version, leader string) Plan {
	turns := upgrade.Order(f.Nodes, leader)
	p := Plan{From: f.Served.String(), To: target.String(), ControlPlanes: turns.Planes, Workers: turns.Workers, LeftOut: turns.Left,
		Findings: Findings(upgrade.Check(f, target))}
	p.Ready = !finding.Bad(p.Findings)
	return p
}

// Findings are findings of an upgrade as all others are shown.
func Findings(all []upgrade.Finding) []finding.Finding {
	shown := make([]finding.Finding, 0, len(all))
	for _, f := range all {
		shown = append(shown, finding.Finding{ID: f.ID, Severity: finding.Severity(f.Severity), What: f.What, Evidence: f.Evidence, Cure: f.Cure,
			Nodes: f.Nodes, Blocks: f.Blocks})
	}
	return shown
}

// Explanations are those of the findings of an upgrade, as all others are shown.
func Explanations() []finding.Explanation {
	var all []finding.Explanation
	for _, e := range upgrade.Explanations() {
		all = append(all, finding.Explanation(e))
	}
	slices.SortFunc(all, func(a, b finding.Explanation) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}
