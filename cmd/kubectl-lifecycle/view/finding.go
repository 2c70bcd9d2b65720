// SPDX-License-Identifier: Apache-2.0

package view

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"

// Explanations writes the list of what can be explained.
func Explanations(s *Sheet, all []finding.Explanation) error {
	rows := [][]string{{"ID", "FINDING"}}
	for _, e := range all {
		rows = append(rows, []string{e.ID, e.Title})
	}
	return s.Table(rows)
}

// Explanation writes what is to be known of one pitfall.
func Explanation(s *Sheet, e finding.Explanation) error {
	p := &page{s}
	p.section(e.ID + ": " + e.Title)
	p.item("  ", e.Cause)
	p.section("How to see it")
	for _, see := range e.See {
		p.item("  ", see)
	}
	p.section("How to fix it")
	p.item("  ", e.Cure)
	p.section("Where others have seen it")
	for _, source := range e.Sources {
		p.item("  ", source)
	}
	return s.Err
}

// Findings writes findings, each with its evidence and its way out.
func Findings(s *Sheet, all []finding.Finding) error {
	p := &page{s}
	for _, f := range all {
		p.item("  ", f.ID+" "+string(f.Severity)+": "+f.What)
		if f.Evidence != "" {
			p.item("    ", "evidence: "+f.Evidence)
		}
		if f.Cure != "" {
			p.item("    ", "fix: "+f.Cure)
		}
	}
	return s.Err
}
