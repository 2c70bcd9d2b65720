// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// rehearsal is the machine-readable result of a dry run.
type rehearsal struct {
	Node  string         `json:"node"`
	Steps []string       `json:"steps"`
	Pods  drain.Decision `json:"drain"`
	Data  []flow.Data    `json:"data,omitempty"`
	// Host is present for --dry-run=server only.
	Host *clean.Removal `json:"host,omitempty"`
}

// rehearsed is what a dry run shows.
type rehearsed struct {
	removal *flow.Removal
	plan    plan.Plan
	mode    dryRun
	// what would become of the node: "removed".
	what string
}

func (e *env) rehearse(ctx context.Context, r rehearsed, output string) error {
	result := rehearsal{Node: r.removal.Node.Name, Steps: r.plan.IDs(), Pods: r.removal.Drain, Data: r.removal.Data}
	if r.mode == dryRunServer {
		progress := e.progress()
		host, err := r.removal.Rehearse(ctx, progress)
		progress.close()
		if err != nil {
			return nothingChanged(err)
		}
		result.Host = &host
	}
	if output == "name" {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s\n", result.Node)
		return err
	}
	return e.print(output, result, func(w io.Writer) error {
		e.showPlan(r.plan, care(r.removal))
		if result.Host != nil {
			rows := [][]string{{"GOES", "NAME", "IN", "OWNER"}}
			for _, item := range result.Host.Objects {
				rows = append(rows, []string{string(item.Kind), item.Name, item.In, string(item.Owner)})
			}
			if err := table(w, rows); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "node/%s would be %s (dry run: nothing was changed)\n", result.Node, r.what)
		return err
	})
}

// care is what a person has to know about a removal before it begins.
func care(r *flow.Removal) []string {
	warnings := append(slices.Clone(r.Warnings), r.Drain.Warnings()...)
	for _, d := range r.Data {
		warnings = append(warnings, d.String())
	}
	return warnings
}

// showPlan writes what will be done, and what will not, to stderr.
func (e *env) showPlan(p plan.Plan, warnings []string) {
	e.say("%s:", p.Title)
	for i, s := range p.Steps {
		e.say("  %d. %s", i+1, s.Title)
	}
	for _, note := range p.Notes {
		e.say("  · %s", note)
	}
	for _, warning := range warnings {
		e.warn("%s", warning)
	}
}
