// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the program that TestAClosedTerminalEndsTheWorkAndNotTheCleanup
// sends signals to.
func TestMain(m *testing.M) {
	if os.Getenv("SIGNALS_TEST") == "" {
		os.Exit(m.Run())
	}
	if os.Getenv("SIGNALS_TEST") == "nohup" {
		signal.Ignore(syscall.SIGHUP)
	}
	ctx, stop := interruptible(context.Background())
	defer stop()
	send := func(s syscall.Signal) { _ = syscall.Kill(os.Getpid(), s) }
	if os.Getenv("SIGNALS_TEST") == "nohup" {
		send(syscall.SIGHUP)
		send(syscall.SIGTERM) // comes later
	}
	if os.Getenv("SIGNALS_TEST") == "hangup" {
		send(syscall.SIGHUP)
		send(syscall.SIGHUP)
	}
	if os.Getenv("SIGNALS_TEST") == "interrupt" {
		send(syscall.SIGINT)
	}
	<-ctx.Done()
	cause := context.Cause(ctx).Error()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		cause = "no cancellation: " + cause
	}
	_ = os.Stdout.Close() // nothing reads any more
	for range 50 {        // at once, and again
		send(syscall.SIGHUP)
		send(syscall.SIGPIPE)
	}
	_, _ = os.Stderr.WriteString("cleaned up: " + cause)
	os.Exit(130)
}

// child runs this program as one that signals are sent to, and returns what it says.
// Signals that are handled here have their default in a child, also where this program
// was begun under nohup.
func child(t *testing.T, mode string) (said string, code int) {
	t.Helper()
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "SIGNALS_TEST="+mode)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	_ = cmd.Run() // its exit code says how it ended
	return errOut.String(), cmd.ProcessState.ExitCode()
}

func TestAClosedTerminalEndsTheWorkAndNotTheCleanup(t *testing.T) {
	for _, mode := range []string{"hangup", "interrupt"} {
		if said, code := child(t, mode); code != 130 || !strings.Contains(said, "cleaned up: "+mode) {
			t.Errorf("%s: exit code %d, %q", mode, code, said)
		}
	}
}

func TestUnderNohupAClosedTerminalChangesNothing(t *testing.T) {
	if said, code := child(t, "nohup"); code != 130 || !strings.Contains(said, "cleaned up: terminated") {
		t.Errorf("exit code %d, %q", code, said)
	}
}
