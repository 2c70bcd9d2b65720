// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// commands are those of this package, with what each of them is given.
type commands struct{ *env.Env }

// Commands lists the commands.
func Commands(e *env.Env) []*cobra.Command {
	c := commands{e}
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Say what stands in the way of another version of Kubernetes",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPlanCommand(c))
	return []*cobra.Command{cmd}
}
