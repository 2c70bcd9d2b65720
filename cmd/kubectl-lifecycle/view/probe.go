// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// fewPairs is how many pairs of nodes are shown unless all are asked for.
const fewPairs = 20

// Probe writes what came of a probe: a line for each thing that was tried, the pairs of
// nodes between which something fails (wide: all), and the way out of each failure.
func Probe(s *Sheet, result probe.Result, wide bool) error {
	rows := [][]string{{"TRIED", "OUTCOME", "DETAIL"}}
	for _, l := range result.Lines {
		rows = append(rows, []string{l.Name, string(l.Outcome), l.Detail + choose(l.Finding == "", "", " ("+l.Finding+")")})
	}
	_ = s.Table(rows) // the sheet keeps the error
	if rows, more := pairRows(result.Pairs, wide); len(rows) > 1 {
		_ = s.Line("")
		_ = s.Table(rows)
		if more > 0 {
			_ = s.Line("and %s (-o wide shows them)", text.Count(more, "more pair"))
		}
	}
	for _, n := range result.Skipped {
		_ = s.Line("not tried: node %s: %s", Name(n.Node), n.Why)
	}
	if cures := CuresOf(result); len(cures) > 0 {
		_ = s.Line("")
		_ = s.Line("FINDINGS")
		return Findings(s, cures)
	}
	return s.Err
}

// pairRows are the lines of pairs, and how many are left out.
func pairRows(pairs []probe.Pair, wide bool) (rows [][]string, more int) {
	rows = [][]string{{"FROM", "TO", "STREAM", "FULL SIZE", "REASON"}}
	for _, p := range pairs {
		switch {
		case !wide && p.Why == "":
			continue
		case !wide && len(rows) > fewPairs:
			more++
			continue
		}
		rows = append(rows, []string{Name(p.From), Name(p.To), string(p.Stream), fullSize(p), p.Why})
	}
	return rows, more
}

func fullSize(p probe.Pair) string {
	if p.FullSize == probe.NotTried {
		return string(p.FullSize)
	}
	return fmt.Sprintf("%s (%d bytes)", p.FullSize, p.Bytes)
}

// CuresOf are the failures of a probe as findings, with the way out of each.
func CuresOf(result probe.Result) (all []finding.Finding) {
	for _, l := range result.Failed() {
		if e, err := finding.Explain(l.Finding); err == nil {
			all = append(all, finding.Finding{ID: e.ID, Severity: finding.Error, What: l.Name + ": " + l.Detail, Cure: e.Cure})
			continue
		}
		for _, m := range l.Messages {
			if id, cure, found := finding.OfMessage(m); found {
				all = append(all, finding.Finding{ID: id, Severity: finding.Error, What: l.Name + ": " + m, Cure: cure})
			}
		}
	}
	return all
}
