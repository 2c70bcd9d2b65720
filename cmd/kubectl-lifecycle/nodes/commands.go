// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// commands are those of this package, with what each of them is given.
type commands struct{ *env.Env }

// Commands lists the commands in the order of a node's life.
func Commands(e *env.Env) []*cobra.Command {
	c := commands{e}
	return []*cobra.Command{
		newCordonCommand(c),
		newUncordonCommand(c),
		newDrainCommand(c),
		newInspectCommand(c),
		newRemoveCommand(c),
		newMoveCommand(c),
		newRunCommand(c),
		newRunsCommand(c),
		newNodeProgramCommand(c),
	}
}
