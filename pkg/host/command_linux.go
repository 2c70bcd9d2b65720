// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// The bounds of a command that sets none of its own.
const (
	defaultTimeout = 60 * time.Second
	defaultMost    = 1 << 20
)

// ErrTooMuch says that a command printed more than is read; it was
// ended.
var ErrTooMuch = errors.New("it prints too much")

// Command is one program to run.
type Command struct {
	Name string
	Args []string
	// Stdin is given to it; empty means none.
	Stdin string
	// Timeout ends it; zero means a minute.
	Timeout time.Duration
	// Most is how many bytes it may print; zero means 1 MiB. One that prints
	// more is ended.
	Most int
}

// String is the command as one would type it, without quoting.
func (c Command) String() string { return strings.Join(append([]string{c.Name}, c.Args...), " ") }

// CommandError is a command that ended badly, and everything it said.
type CommandError struct {
	Command string
	Output  string
	Err     error
}

// Error is one line: the command, why, and the last line of its output.
func (e *CommandError) Error() string {
	last := strings.TrimSpace(e.Output)
	if cut := strings.LastIndexByte(last, '\n'); cut >= 0 {
		last = last[cut+1:]
	}
	if last == "" {
		return fmt.Sprintf("%s: %v", e.Command, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Command, e.Err, last)
}

// Unwrap returns the cause: an *exec.ExitError, exec.ErrNotFound, or the
// context's error.
func (e *CommandError) Unwrap() error { return e.Err }

// Run runs a command and returns its standard output; on an error everything
// it printed is in the *CommandError.
func (l Local) Run(ctx context.Context, cmd Command) (string, error) {
	if l.Exec != nil {
		return l.Exec(ctx, cmd)
	}
	if cmd.Timeout == 0 {
		cmd.Timeout = defaultTimeout
	}
	if cmd.Most == 0 {
		cmd.Most = defaultMost
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	out := transcript{left: cmd.Most, full: func() { end(fmt.Errorf("%w: more than %d bytes", ErrTooMuch, cmd.Most)) }}
	run := exec.CommandContext(ctx, cmd.Name, cmd.Args...)
	run.Stdin = strings.NewReader(cmd.Stdin)
	run.Stdout = stdout{&out}
	run.Stderr = stderr{&out}
	run.WaitDelay = time.Second // a grandchild that keeps the pipe open must not keep us
	err := run.Run()
	if err != nil || errors.Is(context.Cause(ctx), ErrTooMuch) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("no end within %s: %w", cmd.Timeout, err)
			}
		}
		return out.out.String(), &CommandError{Command: cmd.String(), Output: out.all.String(), Err: err}
	}
	return out.out.String(), nil
}

// transcript is what a command prints: its standard output, and all of it in
// the order in which it came, up to a bound.
type transcript struct {
	mu       sync.Mutex
	out, all bytes.Buffer
	left     int
	full     func() // called when there is more
}

// take keeps what there is room for. It never fails: the command is ended by
// full, and must not be ended by a pipe that is closed to it.
func (t *transcript) take(p []byte, to ...*bytes.Buffer) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keep := p[:min(len(p), t.left)]
	if t.left -= len(keep); len(keep) < len(p) {
		t.full()
	}
	for _, buffer := range to {
		buffer.Write(keep)
	}
	return len(p), nil
}

type stdout struct{ t *transcript }

func (w stdout) Write(p []byte) (int, error) { return w.t.take(p, &w.t.out, &w.t.all) }

type stderr struct{ t *transcript }

func (w stderr) Write(p []byte) (int, error) { return w.t.take(p, &w.t.all) }

// Has reports whether a program is installed.
func (l Local) Has(ctx context.Context, name string) bool {
	if l.Exec != nil {
		_, err := l.Exec(ctx, Command{Name: "which", Args: []string{name}})
		return err == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}
