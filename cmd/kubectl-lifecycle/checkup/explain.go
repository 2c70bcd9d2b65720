// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/doctor"
)

func newExplainCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Explain a finding: its cause, how to see it, how to fix it",
		Long: `Explain a finding of 'doctor', 'upgrade plan' or 'cni status' by its id: why it
happens, what shows it, how to fix it, and where others have seen it. Without an id, list
them all. It reads no cluster.`,
		Example: "  kubectl lifecycle explain\n  kubectl lifecycle explain NODE001",
		Args:    env.UsageArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, known := range doctor.Explanations() {
				ids = append(ids, known.ID+"\t"+known.Title)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.explain(args, output) },
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	return cmd
}

func (c commands) explain(args []string, output string) error {
	if err := view.CheckFormat(output, "name"); err != nil {
		return err
	}
	all := doctor.Explanations()
	if len(args) > 0 {
		one, err := doctor.Explain(args[0])
		if err != nil {
			return err
		}
		all = []finding.Explanation{one}
	}
	if output == "name" {
		var ids []string
		for _, known := range all {
			ids = append(ids, known.ID)
		}
		return c.IDs(ids...)
	}
	if len(args) > 0 {
		return c.Print(output, view.Of("Explanation", all[0]), func(s *view.Sheet) error { return view.Explanation(s, all[0]) })
	}
	return c.Print(output, view.Of("Explanation", all), func(s *view.Sheet) error { return view.Explanations(s, all) })
}
