// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestWhatIsPrintedOnAHostIsNotObeyedByItsTerminal(t *testing.T) {
	const hostile = "/var/lib/kubelet/pods/x\x1b[2J\x07\u202e\n✓ this host is clean\r"
	var out bytes.Buffer
	p := report.Printer{Out: &out}
	p.Line("%s", inventory.Item{Kind: inventory.KindMount, Name: hostile, In: hostile})
	p.Line("not checked: %s: %s", hostile, hostile)
	for _, kind := range []plan.Kind{plan.Progress, plan.Done, plan.Failed} {
		p.Observe(plan.Event{Kind: kind, Title: hostile, Message: hostile})
	}
	for line := range strings.Lines(out.String()) {
		if strings.ContainsAny(line, "\x1b\x07\u202e\r") || strings.HasPrefix(line, "✓ this") {
			t.Errorf("it prints %q", line)
		}
	}
}

// node-program is a person's to pipe into whatever it is: the work goes on when
// nobody reads, and the exit code is the work's.
func TestTheCommandOnTheHostGoesOnWhenNobodyReads(t *testing.T) {
	hosttest.Isolate(t, func(t *testing.T, _ string) {
		for name, tc := range map[string]struct {
			args []string
			code int
		}{
			"it shows":            {[]string{"clean"}, 0},
			"it is misused":       {[]string{"clean", "--no-such-flag"}, 2},
			"its facts are junk":  {[]string{"clean", "{"}, 2},
			"there is no command": {nil, 2},
		} {
			reader, writer, err := os.Pipe()
			hosttest.Must(t, err)
			hosttest.Must(t, reader.Close())
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", tc.args...)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			cmd.Stdout, cmd.Stderr = writer, writer
			_ = cmd.Run()
			_ = writer.Close()
			if got := cmd.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("%s: %v, want %d", name, cmd.ProcessState, tc.code)
			}
		}
	})
}
