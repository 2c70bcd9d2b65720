// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const cniTestLong = `Send packets through the pod network and say what arrives: pod to pod on one node
and across nodes, packets of full size, a Service, DNS, the API server from a pod,
and a port of a host.

A pod without privileges is started on three nodes (--nodes, or those that are named,
50 at most), of an image that is there already; nothing is pulled. Up to six nodes
send to all others; of more, each to four others. The pods and the Service are
removed afterwards, after Ctrl-C too; what a killed command leaves, the next one
removes. A policy that denies everything in kube-system is seen as a failure.

The exit code is 0 if all that was tried works, and 3 if not.`

// testFlags are the flags of cni test.
type testFlags struct {
	output  string
	most    int
	timeout time.Duration
	runner  env.RunnerFlags
}

func newCNITestCommand(c commands) *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:     "test [NODE...]",
		Short:   "Send packets through the pod network, and say what arrives",
		Long:    cniTestLong,
		Example: "  kubectl lifecycle cni test\n  kubectl lifecycle cni test worker-1 worker-2",
		RunE:    func(cmd *cobra.Command, args []string) error { return c.testCNI(cmd.Context(), args, f) },
	}
	env.AddOutput(cmd.Flags(), &f.output, "wide")
	cmd.Flags().IntVar(&f.most, "nodes", usualNodes, "How many nodes to send packets between where none are named, one of each zone first")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 3*time.Minute, "How long all of it may take; 0 means no limit")
	f.runner.Add(cmd.Flags())
	return cmd
}

func (c commands) testCNI(ctx context.Context, args []string, f testFlags) error {
	if f.most < 1 || f.most > probe.MostNodes || len(args) > probe.MostNodes {
		return env.Misused(fmt.Sprintf("--nodes is a number from 1 to %d, and no more nodes than that are named", probe.MostNodes))
	}
	var nodes []string
	for _, arg := range args {
		name, err := env.NodeName(arg)
		if err != nil {
			return err
		}
		nodes = append(nodes, name)
	}
	if err := view.CheckFormat(f.output, "wide"); err != nil {
		return err
	}
	cluster, err := c.Cluster(f.runner)
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	result, err := c.probe(ctx, cluster, probe.Options{Nodes: nodes, Most: f.most})
	if err != nil {
		return env.NothingChanged(err)
	}
	wide := f.output == "wide"
	if wide {
		f.output = ""
	}
	if err := c.Print(f.output, view.Of("NetworkTest", result), func(s *view.Sheet) error { return view.Probe(s, result, wide) }); err != nil {
		return err
	}
	return unreached(result)
}

// probe sends packets, and says on the way what it does.
func (c commands) probe(ctx context.Context, cluster runner.Cluster, options probe.Options) (probe.Result, error) {
	var result probe.Result
	progress := c.Progress()
	defer progress.Close()
	_, err := plan.Plan{Title: "Test the network", Steps: []plan.Step{{
		ID: "probe", Title: "Send packets through the pod network",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			result, err = probe.Run(ctx, cluster, options, report)
			return err
		},
	}}}.Run(ctx, progress)
	return result, err
}

// unreached is the error, of class Found, of a network through which not everything
// arrives; nil if all does.
func unreached(result probe.Result) error {
	if result.Works() {
		return nil
	}
	err := errors.New("not everything arrives through the pod network")
	if cures := view.CuresOf(result); len(cures) > 0 {
		return plan.As(plan.Found, plan.Hint(err, "see why, and how to fix it: kubectl lifecycle cni explain %s", text.Quote(cures[0].ID)))
	}
	return plan.As(plan.Found, plan.Hint(err, "see each node: kubectl lifecycle cni status"))
}
