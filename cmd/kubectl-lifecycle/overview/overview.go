// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

const (
	// patience is how long the cluster may take to answer.
	patience = 5 * time.Second
	// mostNodes is how many nodes are looked at.
	mostNodes = 500
)

const circle = `      cni install ──▶ join ──▶ drain ──▶ remove ──┐
                       ▲                          │   the host is clean, and
                       └──────────────────────────┘   can join again, anywhere
`

// Command is what the plugin's name alone does.
func Command(e *env.Env) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error { return show(cmd.Context(), e) }
}

// show says where one is, and what is next there. A cluster that does not answer is told as
// any error is; it is none of this command, which has said what it can.
func show(ctx context.Context, e *env.Env) error {
	sheet := e.Sheet()
	_ = sheet.Page(circle)
	_ = sheet.Line("")
	c, err := look(ctx, e)
	if err != nil {
		e.TellError(err)
	} else {
		_ = sheet.Line("The cluster of context %s: %s.", contextOf(e), c.line())
		for _, s := range c.next() {
			_ = sheet.Line("")
			_ = sheet.Line("%s:", s.why)
			_ = sheet.Command("  ", s.command)
		}
	}
	_ = sheet.Line("")
	_ = sheet.Line("All commands:")
	_ = sheet.Command("  ", "kubectl lifecycle --help")
	return sheet.Err
}

// look reads the nodes, and who works on them. A person who may not see the runs gets the
// rest.
func look(ctx context.Context, e *env.Env) (cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var c cluster
	api, err := e.Cluster(env.RunnerFlags{})
	if err != nil {
		return c, err
	}
	nodes, err := api.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: mostNodes})
	if err != nil {
		return c, err
	}
	c.nodes, c.partial = nodes.Items, nodes.Continue != ""
	if records, err := runner.List(ctx, api); err == nil {
		for _, rec := range records {
			if rec.Damaged == nil {
				c.runs = append(c.runs, rec.State.Node)
			}
		}
	}
	return c, nil
}

// contextOf names the context of the kubeconfig that counts; a program in a pod has none.
func contextOf(e *env.Env) string {
	name := *e.Flags.Context
	if config, err := e.Flags.ToRawKubeConfigLoader().RawConfig(); err == nil && name == "" {
		name = config.CurrentContext
	}
	return cmp.Or(name, "(none)")
}
