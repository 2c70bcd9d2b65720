// SPDX-License-Identifier: Apache-2.0

// Command kubectl-lifecycle takes a kubeadm node through its whole life with
// nothing but a kubeconfig. Installed on the PATH it answers to
// "kubectl lifecycle", and as kubectl-node_lifecycle to "kubectl node-lifecycle".
package main

import (
	"context"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/completion"
)

func main() {
	ctx, stop := interruptible(context.Background())
	defer stop()
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	tool, args := completion.Asked(os.Args[0], os.Args[1:])
	os.Exit(runAs(ctx, tool, streams, args))
}
