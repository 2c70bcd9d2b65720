// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// schedulingFlags are what cordon and uncordon are given.
type schedulingFlags struct {
	verb           string
	unschedulable  bool
	output, dryRun string
	selector       string
	reason         string
}

func newCordonCommand(c commands) *cobra.Command {
	return newSchedulingCommand(c, "Make nodes unschedulable: no new pod is placed on them", schedulingFlags{verb: "cordon",
		unschedulable: true})
}

func newUncordonCommand(c commands) *cobra.Command {
	return newSchedulingCommand(c, "Make nodes schedulable again", schedulingFlags{verb: "uncordon"})
}

func newSchedulingCommand(c commands, short string, f schedulingFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     f.verb + " NODE...",
		Short:   short,
		Long:    short + ".\n\nUnlike kubectl " + f.verb + ", it fails if the API server rejects the change or a webhook reverts it.",
		Example: "  kubectl lifecycle " + f.verb + " worker-3\n  kubectl lifecycle " + f.verb + " -l rack=7",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.setScheduling(cmd.Context(), args, f) },
	}
	env.AddOutput(cmd.Flags(), &f.output, "table, name")
	env.AddDryRun(cmd.Flags(), &f.dryRun, "none, client (say what would be done) or server (also ask the server whether it would accept it)")
	cmd.Flags().StringVarP(&f.selector, "selector", "l", "", "Nodes with these labels")
	if f.unschedulable {
		cmd.Flags().StringVar(&f.reason, "reason", "", "Why the node is cordoned, for its cordon note")
	}
	return cmd
}

// scheduling is the machine-readable result of cordon and uncordon for one
// node; Changed is false if it was like that already.
type scheduling struct {
	Node          string `json:"node"`
	Unschedulable bool   `json:"unschedulable"`
	Changed       bool   `json:"changed"`
	// Error says why it could not be done.
	Error string `json:"error,omitempty"`
}

func (c commands) setScheduling(ctx context.Context, args []string, f schedulingFlags) error {
	mode, err := env.ParseDryRun(f.dryRun)
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr, view.CheckFormat(f.output, "name")); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	names, err := drain.Names(ctx, client, target)
	if err != nil {
		return env.NothingChanged(err)
	}
	change := drain.Scheduling{Unschedulable: f.unschedulable, Note: drain.Note{By: env.Who(), At: time.Now().UTC(), Reason: f.reason}}
	change.Tell = c.once()
	var results []scheduling
	var errs []error
	for _, name := range names {
		result := scheduling{Node: name, Unschedulable: f.unschedulable}
		if result.Changed, err = schedule(ctx, client, mode, name, change); err != nil {
			result.Error = err.Error()
			errs = append(errs, err)
		}
		results = append(results, result)
	}
	err = errors.Join(c.tellScheduling(results, f, mode), partly(errs, len(names)))
	if !f.unschedulable {
		c.warnOfRuns(ctx, client, names)
	}
	return err
}

// warnOfRuns names the nodes that runs go on to work on: an uncordon does not end a
// removal. Who may not list the records is told nothing.
func (c commands) warnOfRuns(ctx context.Context, client kubernetes.Interface, names []string) {
	runs, err := runner.List(ctx, runner.Cluster{Client: client})
	if err != nil {
		return
	}
	for _, run := range runs {
		over := run.State.Phase == wire.Finished || run.State.Phase == wire.Aborted
		if run.Damaged == nil && !over && slices.Contains(names, run.State.Node) {
			c.Warn("node %s is still being worked on: %s", run.State.Node, run.State.Describe())
			c.Say("         abort it: %s", text.Command("kubectl", "lifecycle", "runs", "abort", run.State.Node))
		}
	}
}

// once warns of the first of several errors, which are of one cause.
func (c commands) once() func(error) {
	said := false
	return func(err error) {
		if !said {
			said = true
			c.Warn("%v", err)
		}
	}
}

func schedule(ctx context.Context, client kubernetes.Interface, mode env.DryRun, name string, change drain.Scheduling) (bool, error) {
	switch mode {
	case env.DryRunClient:
		return change.Would(ctx, client, name)
	case env.DryRunServer:
		change.DryRun = true
	case env.DryRunNone:
	}
	return change.Apply(ctx, client, name)
}

// partly is the error of several nodes: nothing has changed only if all failed.
func partly(errs []error, of int) error {
	err := errors.Join(errs...)
	if len(errs) == of {
		return env.NothingChanged(err)
	}
	return plan.Begun(env.Explain(err))
}

func (c commands) tellScheduling(results []scheduling, f schedulingFlags, mode env.DryRun) error {
	remark := map[bool]string{true: " (dry run)"}[mode != env.DryRunNone]
	lines := func(s *view.Sheet) error {
		for _, r := range results {
			if r.Error != "" {
				continue
			}
			already := map[bool]string{false: "already "}[r.Changed]
			_ = s.Line("node/%s %s%sed%s", view.Name(r.Node), text.Safe(already), f.verb, text.Safe(remark)) // the sheet keeps the error
		}
		return s.Err
	}
	if f.output == "name" {
		var nodes []string
		for _, r := range results {
			nodes = append(nodes, r.Node)
		}
		return c.Names("node", nodes...)
	}
	if len(results) == 1 {
		return c.Print(f.output, view.Of("NodeCordon", results[0]), lines)
	}
	return c.Print(f.output, view.Of("NodeCordon", results), lines)
}

// targetOf takes NAME or node/NAME, any number of times, or a selector.
func targetOf(args []string, selector string) (drain.Target, error) {
	t := drain.Target{Selector: selector}
	var errs []error
	for _, arg := range args {
		name, err := env.NodeName(arg)
		errs = append(errs, err)
		t.Names = append(t.Names, name)
	}
	if err := errors.Join(errs...); err != nil {
		return t, err
	}
	return t, t.Validate()
}
