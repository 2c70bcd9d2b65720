// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func newRunsCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the nodes that are being worked on; follow or abort",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.listRuns(cmd.Context(), output) },
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	cmd.AddCommand(&cobra.Command{
		Use: "follow NODE", Short: "Show what the run on a node does, until it ends or waits",
		Args: env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return c.followRun(cmd.Context(), args[0]) },
	}, newAbortCommand(c))
	return cmd
}

func newAbortCommand(c commands) *cobra.Command {
	cmd := &cobra.Command{
		Use: "abort NODE", Short: "Abort the run on a node: start its kubelet, and uncordon it",
		Args: env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return c.abortRun(cmd.Context(), args[0]) },
	}
	cmd.Flags().Bool("yes", false, "Accepted, as by the command that is aborted; nothing is asked")
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

func (c commands) listRuns(ctx context.Context, output string) error {
	if err := view.CheckFormat(output, "name"); err != nil {
		return err
	}
	cluster, err := c.Cluster(env.RunnerFlags{})
	if err != nil {
		return err
	}
	records, err := runner.List(ctx, cluster)
	if err != nil {
		return env.NothingChanged(err)
	}
	runs := make([]runRow, 0, len(records))
	for _, r := range records {
		s := r.State
		if r.Damaged != nil {
			runs = append(runs, runRow{Node: strings.TrimPrefix(r.Name, "lifecycle-"), Phase: "damaged", Error: r.Damaged.Error()})
			c.Say("%v: %s", r.Damaged, plan.HintOf(r.Damaged))
			continue
		}
		runs = append(runs, runRow{Node: s.Node, Operation: s.Operation, Phase: s.Phase, Who: s.Who, Since: s.Since, Error: s.Error})
	}
	if output == "name" {
		var names []string
		for _, r := range runs {
			names = append(names, r.Node)
		}
		return c.Names("run", names...)
	}
	return c.Print(output, view.Of("Run", runs), func(s *view.Sheet) error {
		if len(runs) == 0 {
			c.Say("no node is being worked on")
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

func (c commands) followRun(ctx context.Context, arg string) error {
	node, err := env.NodeName(arg)
	if err != nil {
		return err
	}
	cluster, err := c.Cluster(env.RunnerFlags{})
	if err != nil {
		return err
	}
	rec, found, err := runner.Get(ctx, cluster, node)
	if err != nil {
		return env.NothingChanged(err)
	}
	if !found {
		return plan.Refuse(fmt.Errorf("no run holds node %s", node), "see which there are: kubectl lifecycle runs")
	}
	c.Say("following the %s", rec.State.Describe())
	progress := c.Progress()
	state, err := runner.Follow(ctx, cluster, rec, progress)
	progress.Close()
	if err != nil {
		return err
	}
	if state.Phase == wire.Waiting {
		return plan.As(plan.Found, plan.Hint(fmt.Errorf("the program on the host waits: %s", state.Error),
			"remove the cause and run the same '%s' again; or abort it: kubectl lifecycle runs abort %s", state.Operation, text.Quote(node)))
	}
	return c.Sheet().Line("the %s of node %s: %s", state.Operation, node, state.Phase)
}

func (c commands) abortRun(ctx context.Context, arg string) error {
	node, err := env.NodeName(arg)
	if err != nil {
		return err
	}
	cluster, err := c.Cluster(env.RunnerFlags{})
	if err != nil {
		return err
	}
	p, err := flow.Abort(ctx, cluster, node)
	if err != nil {
		return env.NothingChanged(err)
	}
	for _, note := range p.Notes {
		c.Say("%s", note)
	}
	progress := c.Progress()
	_, err = p.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	outcome := "the run was aborted"
	if !slices.Contains(p.IDs(), "host") {
		outcome = "the record of an earlier run is gone"
	}
	return c.Sheet().Line("node/%s: %s", view.Name(node), outcome)
}
