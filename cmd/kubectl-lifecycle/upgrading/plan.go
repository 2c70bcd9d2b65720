// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/upgradeplan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

const planLong = `Say what stands in the way of another version of Kubernetes, each finding with its id,
what it was seen by and the way out ('explain ID' says more), and in which order the
nodes would go.

It reads the API only, and changes nothing; no pod is started on a host: the versions
that are served and of every kubelet, nodes that are not Ready, the control plane and
etcd, what kubeadm keeps of the cluster, kube-proxy's mode, webhooks and APIServices
whose servers do not answer, certificates that end soon, deprecated APIs that clients
have asked for (if you may read the API server's metrics), and whether the pod network
is tested with the target. Without VERSION, the target is the next minor.

The exit code is 0 if nothing was found but notes, and 3 otherwise.`

func newPlanCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "plan [VERSION]",
		Short:   "Say what stands in the way, and in which order the nodes would go",
		Long:    planLong,
		Example: "  kubectl lifecycle upgrade plan\n  kubectl lifecycle upgrade plan v1.37.2\n  kubectl lifecycle upgrade plan v1.37.2 -o json",
		Args:    env.UsageArgs(cobra.MaximumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.plan(cmd.Context(), args, output) },
	}
	env.AddOutput(cmd.Flags(), &output, "name (the ids)")
	return cmd
}

func (c commands) plan(ctx context.Context, args []string, output string) error {
	if err := view.CheckFormat(output, "name"); err != nil {
		return err
	}
	var target upgrade.Version
	if len(args) > 0 {
		var err error
		if target, err = parse(args[0]); err != nil {
			return err
		}
	}
	seen, err := c.read(ctx, env.RunnerFlags{})
	if err != nil {
		return env.NothingChanged(err)
	}
	if target.Zero() {
		target = seen.Served.Next()
	}
	p := upgradeplan.Make(seen.For(target), target, "")
	if output == "name" {
		var ids []string
		for _, f := range p.Findings {
			ids = append(ids, f.ID)
		}
		err = c.IDs(ids...)
	} else {
		err = c.Print(output, view.Of("UpgradePlan", p), func(s *view.Sheet) error { return screen(s, p) })
	}
	return errors.Join(err, toDo(p))
}

// parse reads a version from the command line.
func parse(arg string) (upgrade.Version, error) {
	v, err := upgrade.Parse(arg)
	return v, plan.As(plan.Misused, plan.Hint(err, "name one as kubeadm does: v1.37.2"))
}

// read reads the cluster.
func (c commands) read(ctx context.Context, f env.RunnerFlags) (seen upgradeplan.Seen, err error) {
	cluster, err := c.Cluster(f)
	if err != nil {
		return seen, err
	}
	progress := c.Progress()
	defer progress.Close()
	_, err = plan.Plan{Title: "Look at the cluster", Steps: []plan.Step{{ID: "read", Title: "Read what the API tells of the cluster",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			seen, err = upgradeplan.Read(ctx, cluster, helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")}, report)
			return err
		}}}}.Run(ctx, progress)
	return seen, err
}

// screen writes a plan.
func screen(s *view.Sheet, p upgradeplan.Plan) error {
	_ = s.Line("From %s to %s", p.From, p.To) // the sheet keeps the error
	_ = s.Line("")
	rows := [][]string{{"TURN", "NODE", "ROLE"}}
	for _, name := range p.ControlPlanes {
		rows = append(rows, []string{fmt.Sprint(len(rows)), name, "control plane"})
	}
	turn := fmt.Sprint(len(rows))
	for _, name := range p.Workers {
		rows = append(rows, []string{turn, name, "worker"})
	}
	for _, name := range p.LeftOut {
		rows = append(rows, []string{"-", name, "left out: not Ready"})
	}
	_ = s.Table(rows)
	if len(p.ControlPlanes) > 1 {
		_ = s.Line("")
		_ = s.Line("Of the control planes, the one with etcd's leader goes last: the hosts are asked for it when the upgrade begins.")
	}
	if len(p.Findings) > 0 {
		_ = s.Line("")
		_ = s.Line("FINDINGS (kubectl lifecycle explain ID)")
		_ = view.Findings(s, p.Findings)
	}
	return s.Err
}

// toDo is the error, of class Found, of a cluster that is not ready; nil for one that is.
func toDo(p upgradeplan.Plan) error {
	if p.Ready {
		return nil
	}
	bad := 0
	for _, f := range p.Findings {
		if f.Severity != finding.Note {
			bad++
		}
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("look at the cluster before it is upgraded: %s", text.Count(bad, "finding")),
		"see why, and how to fix it: kubectl lifecycle explain %s", text.Quote(p.Findings[0].ID)))
}
