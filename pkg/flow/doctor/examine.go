// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/status"
)

// Report is what is wrong with a cluster.
type Report struct {
	// Healthy says that nothing was found that is more than a note, and that every part
	// was read.
	Healthy  bool              `json:"healthy"`
	Parts    []Part            `json:"parts"`
	Findings []finding.Finding `json:"findings"`
}

// Part is one part of the cluster.
type Part struct {
	Name string `json:"name"`
	// Read says that it could be read; Why is the reason if not.
	Read bool   `json:"read"`
	Why  string `json:"why,omitempty"`
	// Findings is how many there are, without notes.
	Findings int `json:"findings"`
	// NotSeen is what of it could not be seen.
	NotSeen []string `json:"notSeen,omitempty"`
}

// Examine makes findings of what was read, the worst first.
func Examine(s Seen) Report {
	r := Report{Healthy: true, Findings: []finding.Finding{}}
	for _, name := range parts() {
		p := Part{Name: name, Read: s.Unread[name] == "", Why: s.Unread[name]}
		if p.Read {
			for _, f := range s.of(name) {
				if f.Severity != finding.Note {
					p.Findings++
				}
				r.Findings = append(r.Findings, f)
			}
		}
		if name == partCerts {
			for _, u := range s.Certificates.Unseen {
				p.NotSeen = append(p.NotSeen, u.What+": "+u.Why)
			}
		}
		r.Healthy = r.Healthy && p.Read && p.Findings == 0
		r.Parts = append(r.Parts, p)
	}
	severities := []finding.Severity{finding.Error, finding.Warning, finding.Note}
	slices.SortStableFunc(r.Findings, func(a, b finding.Finding) int {
		return cmp.Or(slices.Index(severities, a.Severity)-slices.Index(severities, b.Severity), strings.Compare(a.ID, b.ID),
			strings.Compare(a.What, b.What))
	})
	return r
}

// of are the findings of one part.
func (s Seen) of(part string) (all []finding.Finding) {
	var checks []func(Seen) []finding.Finding
	switch part {
	case partNodes:
		checks = []func(Seen) []finding.Finding{silent, notReady, pressed, tainted, cordoned, skewed}
	case partPlane:
		checks = []func(Seen) []finding.Finding{components, absent, leaders, quorum, failing}
	case partNetwork:
		checks = []func(Seen) []finding.Finding{func(s Seen) []finding.Finding { return status.Of(s.Network).Findings }, noNetwork, noDNS}
	case partCerts:
		checks = []func(Seen) []finding.Finding{certificates}
	case partTokens:
		checks = []func(Seen) []finding.Finding{tokens}
	case partRuns:
		checks = []func(Seen) []finding.Finding{records, strayPods, notedCordons, held, switching}
	}
	for _, check := range checks {
		all = append(all, check(s)...)
	}
	return all
}
