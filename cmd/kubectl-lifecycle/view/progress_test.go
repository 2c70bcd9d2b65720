// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// screen makes a progress that writes into a buffer.
func screen(live bool) (*Progress, *bytes.Buffer) {
	var out bytes.Buffer
	return &Progress{out: &out, live: live, width: func() int { return 20 }, started: map[string]time.Time{}, stop: make(chan struct{})}, &out
}

func TestAPipeGetsPlainLinesWithoutRepetition(t *testing.T) {
	p, out := screen(false)
	for _, k := range []plan.Kind{plan.Started, plan.Progress, plan.Progress, plan.Done} {
		p.Observe(plan.Event{Step: "a", Title: "Do it", Kind: k, Message: "waiting"})
	}
	p.Observe(plan.Event{Step: "b", Title: "On the host", Kind: plan.Skipped, Host: "w1"})
	if want := "… Do it\n  waiting\n✓ Do it\n  - On the host (nothing to do)\n"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}

func TestATerminalGetsOneLineThatFits(t *testing.T) {
	p, out := screen(true)
	p.Observe(plan.Event{Step: "a", Title: "A title that is much too long", Kind: plan.Started})
	p.Observe(plan.Event{Step: "a", Title: "Short", Kind: plan.Done})
	for _, line := range strings.Split(strings.ReplaceAll(out.String(), "\r\x1b[K", "\n"), "\n") {
		if len([]rune(line)) >= 20 {
			t.Errorf("line %q does not fit", line)
		}
	}
	if !strings.HasSuffix(out.String(), "\r\x1b[K✓ Short\n") {
		t.Errorf("output %q", out.String())
	}
}

func TestALogGetsAHeartbeatWhileNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := screen(false)
		p.moved = time.Now()
		go p.beat()
		p.Observe(plan.Event{Step: "a", Title: "Drain", Kind: plan.Progress, Message: "waiting for budget x"})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		p.Close()
		if got := strings.Count(out.String(), "waiting for budget x"); got != 3 {
			t.Errorf("said %d times in 31 s: %q", got, out.String())
		}
		if !strings.Contains(out.String(), "(for 30s now)") {
			t.Errorf("output %q", out.String())
		}
	})
}

func TestALogIsToldWhatGoesOnAfterAPartOfItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := screen(false)
		p.moved = time.Now()
		go p.beat()
		p.Observe(plan.Event{Step: "host", Title: "Clean the host", Kind: plan.Started})
		for _, k := range []plan.Kind{plan.Started, plan.Started, plan.Failed} { // the first start was killed
			p.Observe(plan.Event{Host: "w1", Step: "a", Title: "Unmount", Kind: k})
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		p.Picture([]string{"a picture"})
		p.Observe(plan.Event{Step: "host", Title: "Clean the host", Kind: plan.Done})
		before := out.String()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		p.Close()
		if want := "… Clean the host\n  … Unmount\n  ✗ Unmount\n… Clean the host (for 15s now)\n… Clean the host (for 30s now)\n✓ Clean the " +
			"host\n"; out.String() != want || before != want {
			t.Errorf("output %q, want %q", out.String(), want)
		}
	})
}
