// SPDX-License-Identifier: Apache-2.0

package certificates

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
		Use:   "certs",
		Short: "Show when certificates expire, and renew them",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCheckCommand(c), newRenewCommand(c), newApproveCommand(c), newRecoverCommand(c))
	return []*cobra.Command{cmd}
}
