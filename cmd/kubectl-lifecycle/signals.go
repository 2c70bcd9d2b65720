// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible is a context that ends at Ctrl-C, at SIGTERM, and when the terminal is
// closed (SIGHUP), so that what must not stay is taken back in each case. A second
// Ctrl-C ends the program at once. A second SIGHUP does not: a shell and the kernel each
// send one. Nor does the end of what reads the output, from then on. Under nohup
// SIGHUP stays ignored.
func interruptible(parent context.Context) (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	hangUp := !signal.Ignored(syscall.SIGHUP)
	if hangUp {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(parent, signals...)
	context.AfterFunc(ctx, func() {
		if hangUp { // before the default handling is back: the second may come at once
			signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
		}
		stop()
	})
	return ctx, stop
}
