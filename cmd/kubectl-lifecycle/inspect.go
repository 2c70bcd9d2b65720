// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
)

const inspectLong = `Read the host of a node: units, sandboxes, mounts, links, routes, rules, the
packet filter of both backends, BPF pins and files, each with its owner and
whether a removal would take it away.

It runs one pod on the node, of an image that is there already, and leaves
nothing behind. Nothing is changed.`

func newInspectCommand(e *env) *cobra.Command {
	var output string
	var runnerOpts runnerFlags
	cmd := &cobra.Command{
		Use:     "inspect NODE",
		Short:   "List what Kubernetes and the network own on a node's host",
		Long:    inspectLong,
		Example: "  kubectl lifecycle inspect worker-3\n  kubectl lifecycle inspect worker-3 -o json",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.inspect(cmd.Context(), args[0], output, runnerOpts)
		},
	}
	addOutput(cmd.Flags(), &output, "table, wide")
	runnerOpts.add(cmd.Flags())
	return cmd
}

func (e *env) inspect(ctx context.Context, arg, output string, opts runnerFlags) error {
	node, err := nodeName(arg)
	if err := errors.Join(err, checkOutput(output, "wide")); err != nil {
		return err
	}
	cluster, err := e.cluster(opts)
	if err != nil {
		return err
	}
	progress := e.progress()
	inventory, err := flow.Inspect(ctx, cluster, node, inventory.Choices{}, progress)
	progress.close()
	if err != nil {
		return nothingChanged(err)
	}
	wide := output == "wide"
	if wide {
		output = ""
	}
	return e.print(output, inventory, func(s *sheet) error { return inventoryTable(s, inventory, wide) })
}

// kindOf is the first word of a row about a host: a host that names a kind that
// is more than a word does not get a line of its own making.
func kindOf(kind inventory.Kind) string {
	if kind == "" || strings.Trim(string(kind), "abcdefghijklmnopqrstuvwxyz-") != "" || len(kind) > 20 {
		return "unknown"
	}
	return string(kind)
}

// inventoryTable shows what is ours and what refers to the cluster, and with wide
// everything else too.
func inventoryTable(s *sheet, inv inventory.Inventory, wide bool) error {
	rows := [][]string{{"KIND", "NAME", "IN", "OWNER", "FATE", "DETAIL"}}
	hidden := 0
	for _, item := range inv.Items {
		if !wide && item.Fate != inventory.Goes && item.Refers == "" {
			hidden++
			continue
		}
		detail := item.Detail
		if item.Why != "" {
			detail = item.Why
		}
		if item.Refers != "" {
			detail = item.Refers
		}
		rows = append(rows, []string{kindOf(item.Kind), item.Name, item.In, string(item.Owner), string(item.Fate), detail})
	}
	_ = s.table(rows) // the sheet keeps the error
	for _, part := range inv.Unchecked {
		_ = s.line("not checked: %s %s: %s", kindOf(part.Kind), part.What, part.Why)
	}
	if hidden == 0 {
		return s.err
	}
	return s.line("%d more things are not Kubernetes' or stay (-o wide lists them)", hidden)
}
