// SPDX-License-Identifier: Apache-2.0

// Command kubectl-lifecycle takes a kubeadm node through its whole life with
// nothing but a kubeconfig. Installed on the PATH it answers to
// "kubectl lifecycle".
package main

import (
	"context"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func main() {
	ctx, stop := interruptible(context.Background())
	defer stop()
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	os.Exit(run(ctx, streams, os.Args[1:]))
}
