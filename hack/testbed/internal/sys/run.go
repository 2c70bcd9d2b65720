// SPDX-License-Identifier: Apache-2.0

// Package sys holds what every part of the test bed needs from the machine:
// running a command with a useful error, telling progress, doing several
// things at once, taking a lock, and installing missing packages.
package sys

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Cmd is one command to run. Env entries are added to the caller's own
// environment, so that proxies and caches set by the user stay in force.
type Cmd struct {
	Name   string
	Args   []string
	Dir    string
	Env    []string
	Stdin  io.Reader
	Stdout io.Writer
}

// Command is the short form of Cmd for the many calls without options.
func Command(name string, args ...string) Cmd { return Cmd{Name: name, Args: args} }

// Run runs c. The error carries the end of what the command wrote to stderr,
// because that is nearly always where the reason stands.
func (c Cmd) Run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.Name, c.Args...)
	cmd.Dir, cmd.Stdin, cmd.Stdout = c.Dir, c.Stdin, c.Stdout
	cmd.Env = append(os.Environ(), c.Env...)
	// Asked to end, programs such as mmdebstrap and kind clean up after
	// themselves; killed, they would not. A grandchild that keeps the pipe
	// open must not hang us.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return fmt.Errorf("run %s: %w%s", c.title(), err, tail(stderr.String(), 15))
	}
	return nil
}

// Output runs c and returns its standard output without the last newline.
func (c Cmd) Output(ctx context.Context) (string, error) {
	var stdout bytes.Buffer
	c.Stdout = &stdout
	err := c.Run(ctx)
	return strings.TrimRight(stdout.String(), "\n"), err
}

// title names the command in an error: enough to run it again by hand, but not
// the pages of arguments that some builds have.
func (c Cmd) title() string {
	full := strings.Join(append([]string{c.Name}, c.Args...), " ")
	if len(full) > 160 {
		return full[:160] + "…"
	}
	return full
}

// tail returns the last n lines of s on lines of their own, or nothing.
func tail(s string, n int) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	lines := strings.Split(s, "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "\n  " + strings.Join(lines, "\n  ")
}

// TailFile returns the last n lines of a log file for an error message.
func TailFile(path string, n int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return tail(string(raw), n)
}

// Poll calls ready every interval until it says yes or the context ends. The
// last error of ready explains what was still missing.
func Poll(ctx context.Context, interval time.Duration, ready func(context.Context) error) error {
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(interval):
		}
	}
}
