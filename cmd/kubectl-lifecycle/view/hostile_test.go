// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env/envtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestNoEventOfAHostWritesALineOfOurs(t *testing.T) {
	const forged = envtest.Forged
	for _, live := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			p := NewProgress(&out, live, live)
			for _, kind := range []plan.Kind{plan.Started, plan.Progress, plan.Skipped, plan.Undone, plan.Done, plan.Failed, plan.Kind(forged)} {
				for _, message := range []string{forged, "✓ FORGED", " \u200b✗ FORGED", "✔ FORGED", "\x1b[1A✓ FORGED", "↺ … ✓ FORGED"} {
					p.Observe(plan.Event{Host: forged, Step: forged, Title: message, Kind: kind, Message: message})
					p.Observe(plan.Event{Step: "own", Title: "Drain", Kind: plan.Progress, Message: message})
				}
			}
			p.Picture([]string{forged, "  ✓ on a host", "✓ a\n✗ FORGED"})
			time.Sleep(time.Minute) // the heartbeat says it again
			synctest.Wait()
			p.Close()
			// The marks of titles are the program's own: what stands behind them is not.
			lines := envtest.AScreen().ReplaceAllString(out.String(), "\n")
			written := regexp.MustCompile(`(?m)^ *(✓|✗|…|↺|-) ([^\n]*)$`).ReplaceAllString(lines, "step $2")
			envtest.Harmless(t, "the progress", written)
			for line := range strings.Lines(written) {
				if strings.HasPrefix(line, "error:") || strings.HasPrefix(line, "node/") {
					t.Errorf("live %t: %q", live, line)
				}
			}
		})
	}
}
