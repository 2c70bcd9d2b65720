// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/status"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const cniStatusLong = `Show the pod network of the cluster, however it was installed: its version, what manages
it, whether all parts agree on the range of the pods, how many pods have an address of it,
and, for each node, its agent and what is missing. What is wrong is listed as findings
with ids ('cni explain ID').

It reads the API only, by a constant number of requests. --look also asks hosts, 50 at
most and troubled ones first, through a pod each that is gone afterwards: the files in
/etc/cni/net.d and which of them the runtime takes, plugins, modules of the kernel, and
which programs have the network's ports.

The exit code is 0 if the network works, and 3 if something is wrong.`

// statusFlags are the flags of cni status.
type statusFlags struct {
	output string
	look   bool
	runner env.RunnerFlags
}

func newCNIStatusCommand(c commands) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the pod network, node by node, and what is wrong",
		Long:  cniStatusLong,
		Example: "  kubectl lifecycle cni status\n  kubectl lifecycle cni status -o wide\n  kubectl lifecycle cni status --look\n" +
			"  kubectl lifecycle cni status -o json",
		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.statusCNI(cmd.Context(), f) },
	}
	env.AddOutput(cmd.Flags(), &f.output, "wide")
	cmd.Flags().BoolVar(&f.look, "look", false, "Ask hosts, too: what is in /etc/cni/net.d, and what the network needs there")
	f.runner.Add(cmd.Flags())
	return cmd
}

func (c commands) statusCNI(ctx context.Context, f statusFlags) error {
	if err := view.CheckFormat(f.output, "wide"); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	in, err := cni.Observe(ctx, client, helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")})
	if err != nil {
		return env.NothingChanged(err)
	}
	if f.look {
		var troubled []string
		for _, n := range status.Of(in).Nodes {
			if n.Reason != "" {
				troubled = append(troubled, n.Name)
			}
		}
		if in.Hosts, err = c.look(ctx, in.Objects.Nodes, troubled, f.runner); err != nil {
			return env.NothingChanged(err)
		}
	}
	return c.tellStatus(f.output, status.Of(in))
}

// tellStatus writes a status; the error says that something is to be looked at.
func (c commands) tellStatus(output string, s status.Status) error {
	wide := output == "wide"
	if wide {
		output = ""
	}
	if err := c.Print(output, view.Of("NetworkStatus", s), func(sheet *view.Sheet) error { return view.Status(sheet, s, wide) }); err != nil {
		return err
	}
	return doubtful(s)
}

// doubtful is the error, of class Found, of a network that does not work everywhere;
// nil for one that does.
func doubtful(s status.Status) error {
	if s.Works {
		return nil
	}
	if len(s.Networks) == 0 {
		way := "install one: kubectl lifecycle cni install NAME; see which there are: kubectl lifecycle cni list"
		if len(s.Findings) > 0 && s.Findings[0].Severity == finding.Error {
			way = s.Findings[0].Cure // something stands in the way of that
		}
		return plan.As(plan.Found, plan.Hint(errors.New("the cluster has no network"), "%s", way))
	}
	unserved := 0
	for _, n := range s.Nodes {
		if n.Served && (n.Agent != "ready" || !n.Ready) {
			unserved++
		}
	}
	bad := 0
	first := ""
	for _, f := range s.Findings {
		if f.Severity != finding.Note {
			bad++
			if first == "" {
				first = f.ID
			}
		}
	}
	err := fmt.Errorf("the network does not work everywhere: %d of %s not served, %s", unserved, text.Count(len(s.Nodes), "node"),
		text.Count(bad, "finding"))
	if first == "" {
		return plan.As(plan.Found, plan.Hint(err, "see the column REASON, or -o json"))
	}
	return plan.As(plan.Found, plan.Hint(err, "see why, and how to fix it: kubectl lifecycle cni explain %s", text.Quote(first)))
}
