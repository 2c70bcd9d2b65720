// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"io"
	"os"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Printer tells a person on the host what happens, in lines.
type Printer struct{ Out io.Writer }

// Line prints one; a person who closes the pipe is told nothing more, and the work
// goes on. What is named was named by others.
func (p Printer) Line(format string, args ...any) { _ = text.Fprintf(p.Out, format+"\n", args...) }

// Complain says on stderr, which is the journal of a unit, what went wrong.
func Complain(format string, args ...any) {
	_ = text.Fprintf(os.Stderr, "lifecycle-node: "+format+"\n", args...)
}

// Observe prints one event.
func (p Printer) Observe(e plan.Event) {
	switch e.Kind {
	case plan.Progress:
		p.Line("  %s", e.Message)
	case plan.Done:
		p.Line("✓ %s", e.Title)
	case plan.Failed:
		p.Line("✗ %s", e.Title)
	case plan.Started, plan.Skipped, plan.Undone:
	}
}
