// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
)

func newCNIExplainCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain [ID]",
		Short: "Explain a finding: its cause, how to see it, how to fix it",
		Long: `Explain a finding of 'cni install' or 'cni status' by its id: why it happens, what
shows it, how to fix it, and where others have seen it. Without an id, list them all.
It reads no cluster.`,
		Example: "  kubectl lifecycle cni explain\n  kubectl lifecycle cni explain CNI006",
		Args:    env.UsageArgs(cobra.MaximumNArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return findingIDs(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.explainCNI(args, output) },
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	return cmd
}

// findingIDs are the ids, each with its title for a shell's completion.
func findingIDs() []string {
	var ids []string
	for _, known := range finding.Explanations() {
		ids = append(ids, known.ID+"\t"+known.Title)
	}
	return ids
}

func (c commands) explainCNI(args []string, output string) error {
	if err := view.CheckFormat(output, "name"); err != nil {
		return err
	}
	if len(args) == 0 {
		all := finding.Explanations()
		if output == "name" {
			var ids []string
			for _, known := range all {
				ids = append(ids, known.ID)
			}
			return c.IDs(ids...)
		}
		return c.Print(output, view.Of("Explanation", all), func(s *view.Sheet) error { return view.Explanations(s, all) })
	}
	one, err := finding.Explain(args[0])
	if err != nil {
		return err
	}
	if output == "name" {
		return c.IDs(one.ID)
	}
	return c.Print(output, view.Of("Explanation", one), func(s *view.Sheet) error { return view.Explanation(s, one) })
}

// sayFindings writes to stderr what may go wrong.
func (c commands) sayFindings(all []finding.Finding) error {
	if len(all) == 0 {
		return nil
	}
	c.Say("Findings (kubectl lifecycle cni explain ID):")
	return view.Findings(c.ErrSheet(), all)
}
