// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/ownunit"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	// mostOfOutput is how much of the output is kept: its beginning, and its end.
	mostOfOutput = 256 << 10
	// graceful is how long a command gets to end by itself at its limit.
	graceful = 10 * time.Second
	// keptFor is how long an outcome waits to be fetched.
	keptFor = 10 * time.Minute
)

// Work is what the unit does. lock lets it alone change the host.
func Work(ctx context.Context, lock func() (unlock func(), err error)) error {
	ownunit.Discard(copyPrefix)
	return here().work(ctx, lock, keptFor)
}

func (s site) work(ctx context.Context, lock func() (unlock func(), err error), kept time.Duration) error {
	raw, err := s.local.ReadPlain(s.in(orderFile), mostOfFile)
	if err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	var order wire.CommandOrder
	if err := errors.Join(json.Unmarshal(raw, &order), os.Remove(s.in(orderFile))); err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	out := wire.CommandOutcome{ID: order.ID}
	unlock, err := lock()
	if err == nil {
		out = run(ctx, order)
		unlock()
	} else {
		out.Error = err.Error()
	}
	if err := s.save(out); err != nil {
		return errors.Join(fmt.Errorf("keep the outcome: %w", err), s.remove())
	}
	s.await(ctx, kept)
	return s.remove()
}

// await waits until the outcome was fetched, or for so long.
func (s site) await(ctx context.Context, kept time.Duration) {
	for deadline := time.Now().Add(kept); time.Now().Before(deadline); {
		if _, err := os.Lstat(s.in(resultFile)); errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAgain):
		}
	}
}

// run runs the command, with root's home as its directory and nothing but what a login would
// have in its environment, and returns what has become of it. All that it has started ends
// with the unit.
func run(ctx context.Context, order wire.CommandOrder) wire.CommandOutcome {
	out := wire.CommandOutcome{ID: order.ID}
	ctx, cancel := context.WithTimeout(ctx, order.Limit)
	defer cancel()
	said := &ends{most: mostOfOutput}
	cmd := exec.CommandContext(ctx, order.Args[0], order.Args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) } // all of its group
	cmd.WaitDelay = graceful
	began := time.Now()
	err := cmd.Run()
	out.Took = time.Since(began)
	out.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
	out.Output, out.Cut = said.text()
	var ended *exec.ExitError
	switch status := cmd.ProcessState; {
	case status == nil: // it could not be started
		out.Error = err.Error()
	case errors.As(err, &ended) && status.Sys().(syscall.WaitStatus).Signaled():
		out.Signal = unix.SignalName(status.Sys().(syscall.WaitStatus).Signal())
		out.Code = 128 + int(status.Sys().(syscall.WaitStatus).Signal())
	default:
		out.Code = status.ExitCode()
	}
	return out
}

// ends keeps the beginning and the end of what is written, each half of so many bytes.
type ends struct {
	mu    sync.Mutex
	most  int
	head  []byte
	tail  []byte
	total int64
}

// Write never fails: a command must not be ended by a pipe that is closed to it.
func (e *ends) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(p)
	e.total += int64(n)
	room := min(e.most/2-len(e.head), len(p))
	e.head, p = append(e.head, p[:room]...), p[room:]
	e.tail = append(e.tail, p...)
	if over := len(e.tail) - e.most/2; over > 0 {
		e.tail = append(e.tail[:0], e.tail[over:]...)
	}
	return n, nil
}

// text is what is kept, in UTF-8, and how many bytes of the middle are not.
func (e *ends) text() (kept string, cut int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	cut = e.total - int64(len(e.head)+len(e.tail))
	if cut == 0 {
		return strings.ToValidUTF8(string(e.head)+string(e.tail), "\uFFFD"), 0
	}
	head, tail := string(e.head), string(e.tail)
	if i := strings.LastIndexByte(head, '\n'); i >= 0 {
		cut += int64(len(head) - i - 1)
		head = head[:i+1]
	}
	if i := strings.IndexByte(tail, '\n'); i >= 0 {
		cut += int64(i + 1)
		tail = tail[i+1:]
	}
	return strings.ToValidUTF8(head, "\uFFFD") + fmt.Sprintf("[%d bytes are left out here]\n", cut) + strings.ToValidUTF8(tail, "\uFFFD"), cut
}
