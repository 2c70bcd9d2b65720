// SPDX-License-Identifier: Apache-2.0

// Command kubectl-lifecycle takes a kubeadm node through its whole life with
// nothing but a kubeconfig. Installed on the PATH it answers to
// "kubectl lifecycle".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once: the first one restores the
	// default handling.
	context.AfterFunc(ctx, stop)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(run(ctx, streams, os.Args[1:]))
}
