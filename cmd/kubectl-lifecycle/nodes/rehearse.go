// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostdata"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// rehearsal is the machine-readable result of a dry run.
type rehearsal struct {
	Node  string          `json:"node"`
	Steps []string        `json:"steps"`
	Pods  drain.Decision  `json:"drain"`
	Data  []hostdata.Data `json:"data,omitempty"`
	// Surge is what is done for Deployments; Excluded are pods that no drain asks.
	Surge    []surge.Measure `json:"surge,omitempty"`
	Excluded []string        `json:"excluded,omitempty"`
	// Warnings are what needs care, as the text has them.
	Warnings []string `json:"warnings,omitempty"`
	// Host is present for --dry-run=server only.
	Host *inventory.Removal `json:"host,omitempty"`
}

// rehearsed is what a dry run shows.
type rehearsed struct {
	removal *flow.Removal
	plan    plan.Plan
	mode    env.DryRun
	// what would become of the node: "removed".
	what string
}

// rehearse shows what would be done: of one node, one object; of several, a list.
func (c commands) rehearse(ctx context.Context, output string, several bool, all ...rehearsed) error {
	var results []rehearsal
	for _, r := range all {
		result, err := c.rehearsal(ctx, r)
		if err != nil {
			return env.NothingChanged(err)
		}
		results = append(results, result)
	}
	if output == "name" {
		var names []string
		for _, result := range results {
			names = append(names, result.Node)
		}
		return c.Names("node", names...)
	}
	var value any = results
	if !several {
		value = results[0]
	}
	return c.Print(output, view.Of("RemovalRehearsal", value), func(s *view.Sheet) error {
		var errs []error
		for i, result := range results {
			errs = append(errs, c.showRehearsal(s, all[i], result))
		}
		return errors.Join(errs...)
	})
}

// rehearsal reads what would be done.
func (c commands) rehearsal(ctx context.Context, r rehearsed) (rehearsal, error) {
	result := rehearsal{Node: r.removal.Node.Name, Steps: r.plan.IDs(), Pods: r.removal.Drain, Data: r.removal.Data, Surge: r.removal.Surge,
		Excluded: r.removal.Excluded, Warnings: care(r.removal)}
	if r.mode != env.DryRunServer {
		return result, nil
	}
	progress := c.Progress()
	defer progress.Close()
	host, err := r.removal.Rehearse(ctx, progress)
	result.Host = &host
	return result, err
}

func (c commands) showRehearsal(s *view.Sheet, r rehearsed, result rehearsal) error {
	c.ShowPlan(r.plan, result.Warnings)
	if result.Host != nil {
		rows := [][]string{{"GOES", "NAME", "IN", "OWNER"}}
		for _, item := range result.Host.Objects {
			rows = append(rows, []string{view.Kind(item.Kind), item.Name, item.In, string(item.Owner)})
		}
		if err := s.Table(rows); err != nil {
			return err
		}
		for _, item := range result.Host.Objects {
			if item.Personal != "" {
				c.Warn("it goes, and may be a person's: %s: %s; a backup has it, in %s on the host, unless you give --no-backup", item, item.Personal,
					inventory.BackupDir)
			}
		}
		c.warnOfFlags(result.Host.Stay)
		for _, item := range result.Host.Stay {
			switch {
			case item.Unseen():
				c.Warn("it stays: %s: %s", item, item.Refers)
			case item.Refers != "":
				c.Warn("it stays, but refers to the cluster: %s: %s", item, item.Refers)
			}
		}
	}
	return s.Line("node/%s would be %s (dry run: nothing was changed)", view.Name(result.Node), r.what)
}

// care is what a person has to know about a removal before it begins.
func care(r *flow.Removal) []string {
	warnings := append(slices.Clone(r.Warnings), r.Drain.Warnings()...)
	for _, m := range r.Surge {
		warnings = append(warnings, m.String())
	}
	if len(r.Excluded) > 0 {
		warnings = append(warnings, fmt.Sprintf("--pod-selector leaves out %s, which run until the host is cleaned, and end with it: %s",
			view.CountPods(len(r.Excluded)), text.First(r.Excluded, 5)))
	}
	for _, d := range r.Data {
		warnings = append(warnings, d.String())
	}
	return warnings
}
