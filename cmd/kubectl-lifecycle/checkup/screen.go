// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/doctor"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// screen writes what is wrong with a cluster; wide lists what could not be seen, too.
func screen(s *view.Sheet, r doctor.Report, wide bool) error {
	rows := [][]string{{"PART", "STATE"}}
	unseen := 0
	for _, p := range r.Parts {
		state := "ok"
		switch {
		case !p.Read:
			state = "not read: " + text.Brief(p.Why)
		case p.Findings > 0:
			state = text.Count(p.Findings, "finding")
		}
		if len(p.NotSeen) > 0 {
			state += fmt.Sprintf(" (%d not seen)", len(p.NotSeen))
		}
		unseen += len(p.NotSeen)
		rows = append(rows, []string{p.Name, state})
	}
	_ = s.Table(rows) // the sheet keeps the error
	if len(r.Findings) > 0 {
		_ = s.Line("")
		_ = s.Line("FINDINGS (kubectl lifecycle explain ID)")
		_ = view.Findings(s, r.Findings)
	}
	if wide && unseen > 0 {
		_ = s.Line("")
		_ = s.Line("NOT SEEN")
		for _, p := range r.Parts {
			for _, what := range p.NotSeen {
				_ = s.Line("  %s: %s", p.Name, what)
			}
		}
	}
	return s.Err
}
