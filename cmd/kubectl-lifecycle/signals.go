// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signalled is why a context has ended; it is a cancellation, like any other.
type signalled string

func (s signalled) Error() string { return string(s) }

// Is makes it one of context.Canceled.
func (s signalled) Is(target error) bool { return target == context.Canceled }

// interruptible is a context that ends at Ctrl-C, at SIGTERM, and when the terminal is
// closed (SIGHUP), so that what must not stay is taken back in each case. A second
// Ctrl-C ends the program at once. A second SIGHUP does not: a shell and the kernel each
// send one. Nor does the end of whatever reads the output, from then on. Under nohup
// SIGHUP stays ignored.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, 1)
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(received, syscall.SIGHUP)
	}
	go func() {
		select {
		case s := <-received:
			signal.Notify(received, syscall.SIGPIPE) // and nothing reads the channel any more
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			cancel(signalled(s.String() + " signal received"))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		cancel(nil)
	}
}
