// SPDX-License-Identifier: Apache-2.0

package netprobe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// mostOfJob bounds a line of the input, mostJobs how many are done at once.
	mostOfJob, mostJobs = 1 << 20, 16
	// mostLimit is how long one job may take, whatever it says.
	mostLimit = time.Minute
)

// Run answers on a port until its input ends, and does what it reads there.
func Run(ctx context.Context, in io.Reader, out io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: lifecycle-node probe PORT")
	}
	port, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return fmt.Errorf("read the port: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := answer(ctx, int(port)); err != nil {
		return err
	}
	hello := hello()
	p := &prober{out: out}
	if err := p.say(wire.ProbeResult{Hello: &hello}); err != nil {
		return err
	}
	return p.work(ctx, in)
}

// prober writes results, a line at a time.
type prober struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *prober) say(r wire.ProbeResult) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a result: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = fmt.Fprintf(p.out, "%s%s\n", wire.ProbePrefix, line)
	return err
}

// work does jobs until there are no more, some at a time.
func (p *prober) work(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostOfJob)
	var all sync.WaitGroup
	room := make(chan struct{}, mostJobs)
	for lines.Scan() {
		var job wire.ProbeJob
		if err := json.Unmarshal(lines.Bytes(), &job); err != nil {
			return fmt.Errorf("read a job: %w", err)
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			_ = p.say(do(ctx, job)) // where nothing reads, the input ends, too
		})
	}
	all.Wait()
	return lines.Err()
}

// do does one job.
func do(ctx context.Context, job wire.ProbeJob) wire.ProbeResult {
	ctx, cancel := context.WithTimeout(ctx, min(max(job.Limit, time.Millisecond), mostLimit))
	defer cancel()
	begin := time.Now()
	r := wire.ProbeResult{ID: job.ID}
	var err error
	switch job.Kind {
	case wire.ProbeTCP:
		err = tcp(ctx, job)
	case wire.ProbeSized:
		r.Size, err = sized(ctx, job)
	case wire.ProbeName:
		err = lookUp(ctx, job)
	case wire.ProbeTLS:
		err = greet(ctx, job)
	default:
		err = fmt.Errorf("unknown job %q", job.Kind)
	}
	r.Took = time.Since(begin)
	if err != nil {
		r.Why = text.Brief(err.Error())
	}
	return r
}

// hello describes the pod.
func hello() wire.ProbeHello {
	var h wire.ProbeHello
	links, _ := net.Interfaces() // without them, its MTU is not known
	for _, l := range links {
		if l.Flags&net.FlagUp != 0 && l.Flags&net.FlagLoopback == 0 && (h.MTU == 0 || l.Name == "eth0") {
			h.MTU = l.MTU
		}
	}
	return h
}
