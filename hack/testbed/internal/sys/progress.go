// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells on one writer what is going on and how long it took. It is
// safe for use by several goroutines, since builds run side by side.
type Progress struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

// NewProgress starts the clock that is printed in front of every line.
func NewProgress(out io.Writer) *Progress {
	return &Progress{out: out, start: time.Now()}
}

// Say prints one line.
func (p *Progress) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "[%6.1fs] %s\n", time.Since(p.start).Seconds(), fmt.Sprintf(format, args...))
}

// Step does one named piece of work and tells its beginning, its end and its
// time; every half minute it says that it still runs, so that a long build is
// not taken for a hang.
func (p *Progress) Step(ctx context.Context, what string, work func(context.Context) error) error {
	begin := time.Now()
	p.Say("%s …", what)
	done := make(chan struct{})
	defer close(done)
	go p.heartbeat(what, begin, done)
	err := work(ctx)
	took := time.Since(begin).Round(100 * time.Millisecond)
	if err != nil {
		p.Say("%s: failed after %s", what, took)
		return err
	}
	p.Say("%s: done in %s", what, took)
	return nil
}

func (p *Progress) heartbeat(what string, begin time.Time, done <-chan struct{}) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			p.Say("%s: still running after %s", what, time.Since(begin).Round(time.Second))
		}
	}
}
