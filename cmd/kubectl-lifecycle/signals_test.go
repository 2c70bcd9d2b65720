// SPDX-License-Identifier: Apache-2.0

//go:build !windows

package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
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
	_ = os.Stdout.Close() // nothing reads any more
	for range 50 {        // at once, and again
		send(syscall.SIGHUP)
		send(syscall.SIGPIPE)
	}
	_, _ = os.Stderr.WriteString("cleaned up: " + cause)
	os.Exit(130)
}

func TestAClosedTerminalEndsTheWorkAndNotTheCleanup(t *testing.T) {
	for name, cause := range map[string]string{"hangup": "hangup", "interrupt": "interrupt"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SIGNALS_TEST="+name)
			var said strings.Builder
			cmd.Stderr = &said
			err := cmd.Run()
			if cmd.ProcessState.ExitCode() != 130 || !strings.Contains(said.String(), "cleaned up: "+cause) {
				t.Errorf("%v: %q", err, said.String())
			}
		})
	}
}

func TestUnderNohupAClosedTerminalChangesNothing(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SIGNALS_TEST=nohup")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 130 || !strings.Contains(said.String(), "cleaned up: terminated") {
		t.Errorf("%v: %q", err, said.String())
	}
}
