// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
)

const inspectLong = `Read the host of a node: units, sandboxes, mounts, links, routes, rules, the
packet filter of both backends, BPF pins and files, each with its owner and
whether a removal would take it away.

It runs one pod on the node, of an image that is there already, and leaves
nothing behind. Nothing is changed.`

func newInspectCommand(c commands) *cobra.Command {
	var output string
	var runnerOpts env.RunnerFlags
	cmd := &cobra.Command{
		Use:     "inspect NODE",
		Short:   "List what Kubernetes and the network own on a node's host",
		Long:    inspectLong,
		Example: "  kubectl lifecycle inspect worker-3\n  kubectl lifecycle inspect worker-3 -o json",
		Args:    env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.inspect(cmd.Context(), args[0], output, runnerOpts)
		},
	}
	env.AddOutput(cmd.Flags(), &output, "table, wide")
	runnerOpts.Add(cmd.Flags())
	return cmd
}

func (c commands) inspect(ctx context.Context, arg, output string, opts env.RunnerFlags) error {
	node, err := env.NodeName(arg)
	if err := errors.Join(err, view.CheckFormat(output, "wide")); err != nil {
		return err
	}
	cluster, err := c.Cluster(opts)
	if err != nil {
		return err
	}
	progress := c.Progress()
	inventory, err := flow.Inspect(ctx, cluster, node, inventory.Choices{}, progress)
	progress.Close()
	if err != nil {
		return env.NothingChanged(err)
	}
	wide := output == "wide"
	if wide {
		output = ""
	}
	return c.Print(output, view.Of("HostInventory", inventory), func(s *view.Sheet) error { return view.Inventory(s, inventory, wide) })
}
