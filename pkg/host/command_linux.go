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

// defaultTimeout bounds a command that sets no limit of its own.
const defaultTimeout = 60 * time.Second

// Command is one program to run.
type Command struct {
	Name string
	Args []string
	// Stdin is given to it; empty means none.
	Stdin string
	// Timeout ends it; zero means a minute.
	Timeout time.Duration
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
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	var out transcript
	run := exec.CommandContext(ctx, cmd.Name, cmd.Args...)
	run.Stdin = strings.NewReader(cmd.Stdin)
	run.Stdout = stdout{&out}
	run.Stderr = stderr{&out}
	run.WaitDelay = time.Second // a grandchild that keeps the pipe open must not keep us
	if err := run.Run(); err != nil {
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
// the order in which it came.
type transcript struct {
	mu       sync.Mutex
	out, all bytes.Buffer
}

type stdout struct{ t *transcript }

func (w stdout) Write(p []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	w.t.out.Write(p)
	return w.t.all.Write(p)
}

type stderr struct{ t *transcript }

func (w stderr) Write(p []byte) (int, error) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	return w.t.all.Write(p)
}

// Has reports whether a program is installed.
func (l Local) Has(ctx context.Context, name string) bool {
	if l.Exec != nil {
		_, err := l.Exec(ctx, Command{Name: "which", Args: []string{name}})
		return err == nil
	}
	_, err := exec.LookPath(name)
	return err == nil
}
