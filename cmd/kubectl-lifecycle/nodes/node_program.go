// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/payload"
)

func newNodeProgramCommand(c commands) *cobra.Command {
	var arch string
	cmd := &cobra.Command{
		Use:   "node-program",
		Short: "Write the program that cleans a host outside of a cluster",
		Long: `Write the program that works on hosts to standard output. The other commands
bring it to a node by themselves; this is for a host whose Node was given up:
run "lifecycle-node clean" there, as root.`,
		Example: "  kubectl lifecycle node-program > lifecycle-node",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if c.OutputIsTerminal() {
				return env.Misused("the program is binary: redirect it into a file (> lifecycle-node)")
			}
			program, err := payload.For(arch)
			if err != nil {
				return err
			}
			return c.Binary(program.Program)
		},
	}
	cmd.Flags().StringVar(&arch, "arch", "amd64", "The host's architecture: amd64 or arm64")
	return cmd
}
