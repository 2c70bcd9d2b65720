// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func newRunsCommand(e *env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the nodes that are being worked on; follow a run, or take it back",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return e.listRuns(cmd.Context(), output) },
	}
	addOutput(cmd.Flags(), &output, "")
	cmd.AddCommand(&cobra.Command{
		Use: "follow NODE", Short: "Show what the run on a node does, until it ends or waits",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.followRun(cmd.Context(), args[0]) },
	}, &cobra.Command{
		Use: "abort NODE", Short: "Take the run on a node back: its kubelet runs again, and it is uncordoned",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.abortRun(cmd.Context(), args[0]) },
	})
	return cmd
}

// runRow is a record as "runs -o json" prints it.
type runRow struct {
	Node      string         `json:"node"`
	Operation wire.Operation `json:"operation"`
	Phase     wire.Phase     `json:"phase"`
	Who       string         `json:"who"`
	Since     time.Time      `json:"since"`
	Error     string         `json:"error,omitempty"`
}

func (e *env) listRuns(ctx context.Context, output string) error {
	if err := view.CheckFormat(output); err != nil {
		return err
	}
	cluster, err := e.cluster(runnerFlags{})
	if err != nil {
		return err
	}
	records, err := runner.List(ctx, cluster)
	if err != nil {
		return nothingChanged(err)
	}
	runs := make([]runRow, 0, len(records))
	for _, r := range records {
		s := r.State
		if r.Damaged != nil {
			runs = append(runs, runRow{Node: strings.TrimPrefix(r.Name, "lifecycle-"), Phase: "damaged", Error: r.Damaged.Error()})
			e.say("%v: %s", r.Damaged, plan.HintOf(r.Damaged))
			continue
		}
		runs = append(runs, runRow{Node: s.Node, Operation: s.Operation, Phase: s.Phase, Who: s.Who, Since: s.Since, Error: s.Error})
	}
	return e.print(output, runs, func(s *view.Sheet) error {
		if len(runs) == 0 {
			e.say("no node is being worked on")
			return nil
		}
		rows := [][]string{{"NODE", "OPERATION", "PHASE", "WHO", "AGE"}}
		for _, r := range runs {
			age := "?"
			if !r.Since.IsZero() {
				age = duration.HumanDuration(time.Since(r.Since))
			}
			rows = append(rows, []string{view.Name(r.Node), string(r.Operation), string(r.Phase), r.Who, age})
		}
		return s.Table(rows)
	})
}

func (e *env) followRun(ctx context.Context, arg string) error {
	node, err := nodeName(arg)
	if err != nil {
		return err
	}
	cluster, err := e.cluster(runnerFlags{})
	if err != nil {
		return err
	}
	rec, found, err := runner.Get(ctx, cluster, node)
	if err != nil {
		return nothingChanged(err)
	}
	if !found {
		return plan.Refuse(fmt.Errorf("no run holds node %s", node), "see which there are: kubectl lifecycle runs")
	}
	e.say("following the %s", rec.State.Describe())
	progress := e.progress()
	state, err := runner.Follow(ctx, cluster, rec, progress)
	progress.Close()
	if err != nil {
		return err
	}
	if state.Phase == wire.Waiting {
		return plan.As(plan.Found, plan.Hint(fmt.Errorf("the program on the host waits: %s", state.Error),
			"remove the cause and run the same '%s' again; or take it back: kubectl lifecycle runs abort %s", state.Operation, text.Quote(node)))
	}
	return e.sheet().Line("the %s of node %s: %s", state.Operation, node, state.Phase)
}

func (e *env) abortRun(ctx context.Context, arg string) error {
	node, err := nodeName(arg)
	if err != nil {
		return err
	}
	cluster, err := e.cluster(runnerFlags{})
	if err != nil {
		return err
	}
	p, err := flow.Abort(ctx, cluster, node)
	if err != nil {
		return nothingChanged(err)
	}
	for _, note := range p.Notes {
		e.say("%s", note)
	}
	progress := e.progress()
	_, err = p.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	outcome := "the run was taken back"
	if !slices.Contains(p.IDs(), "host") {
		outcome = "the record of an earlier run is gone"
	}
	return e.sheet().Line("node/%s: %s", view.Name(node), outcome)
}
