// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command lifecycle-node is the program that works on a host. The plugin
// streams it in; "enter" takes the delivery from standard input, and "work" is
// what the systemd unit runs. It needs no API server to work, only to report.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

func main() {
	if handled, code := host.Child(os.Args[1:]); handled {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: lifecycle-node enter|work")
		return 2
	}
	switch args[0] {
	case "enter":
		return enter(ctx, os.Stdin, os.Stdout)
	case "work":
		if err := work(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "lifecycle-node:", err)
			return 1
		}
		return 0
	}
	fmt.Fprintf(os.Stderr, "lifecycle-node: unknown command %q\n", args[0])
	return 2
}
