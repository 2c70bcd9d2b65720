// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// Under its other name, no help names a command that is not there.
func TestHelpFollowsTheNameOfThePlugin(t *testing.T) {
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	e := env.New(streams, "dev")
	e.Tool = env.NodeLifecycle
	seen := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		out.Reset()
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		if help := out.String(); strings.Contains(help, "kubectl lifecycle") || strings.Contains(help, "kubectl_complete-lifecycle") {
			t.Errorf("%s:\n%s", cmd.CommandPath(), help)
		}
		if strings.Contains(out.String(), "kubectl node-lifecycle") {
			seen++
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRootCommand(e))
	if seen < 30 {
		t.Errorf("only %d helps name the plugin", seen)
	}
}

// What it says of other commands follows, too: the way out of an error, and a result.
func TestMessagesFollowTheNameOfThePlugin(t *testing.T) {
	t.Setenv("KUBECONFIG", nowhere(t))
	for _, args := range [][]string{{}, {"frobnicate"}, {"remove"}, {"version"}, {"cni", "explain", "CNI001"}} {
		streams, _, out, errOut := genericiooptions.NewTestIOStreams()
		_ = runAs(t.Context(), env.NodeLifecycle, streams, args)
		if said := out.String() + errOut.String(); strings.Contains(said, "kubectl lifecycle") || said == "" {
			t.Errorf("%q: %s", args, said)
		}
	}
}
