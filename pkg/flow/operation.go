// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// operation is what a run on a host is for, as this side knows it. The program on the
// host has a value of the same name.
type operation struct {
	name wire.Operation
	// title is of the step that changes the host.
	title func(node string) string
	// task completes what the program is told; nil for nothing.
	task func(t *runner.Task)
	// alive is done as long as the drain goes on; nil for nothing.
	alive func(ctx context.Context)
	// verdict takes the host's verdict out of the outcome; nil where it is all of it.
	verdict func(outcome json.RawMessage) (json.RawMessage, error)
}

// removal is the operation that cleans the host.
func removal() operation {
	return operation{name: wire.Remove, title: func(node string) string { return "Clean the host of " + node }}
}

// reason is what a cordon says that is made for it.
func (o operation) reason() string { return string(o.name) + " of the node" }
