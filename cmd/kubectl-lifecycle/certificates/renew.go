// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certrenew"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const renewLong = `Renew kubeadm's certificates on all control planes, one host after another, the one
with etcd's leader last; all of them, or those that are named as kubeadm names them.

On each host: the certificates and a snapshot of etcd are kept for root alone in
/var/backups/kubectl-lifecycle (--no-snapshot leaves etcd's out), kubeadm renews them, each
is checked (signed by its authority, key, names), and what does not use the new one by
itself is restarted. A host is done when its API server, etcd, controller manager and
scheduler use the new certificates and are healthy. If not, the earlier
files are put back and in use again, and the renewal stops.

It refuses while a control plane is not Ready, a member of etcd is not healthy, or an
authority would expire before what it signs. A certificate is not renewed if the key of
its authority is not on the host, or if it was renewed within the last day (--force renews
it), so the same command continues after an interruption. The kubelets renew theirs by
themselves.

'renew kubeconfig' renews the certificate in your own kubeconfig: the cluster issues
another one for the same subject, with a key that is made here. One entry of the file
changes, and the earlier file is kept beside it.`

// renewFlags are the flags of certs renew.
type renewFlags struct {
	dryRun     string
	force, yes bool
	noSnapshot bool
	runner     env.RunnerFlags
}

func newRenewCommand(c commands) *cobra.Command {
	var f renewFlags
	cmd := &cobra.Command{
		Use:   "renew all|NAME...|kubeconfig",
		Short: "Renew kubeadm's certificates on all control planes",
		Long:  renewLong,
		Example: "  kubectl lifecycle certs renew all --dry-run\n  kubectl lifecycle certs renew all\n" +
			"  kubectl lifecycle certs renew apiserver etcd-server --yes\n" +
			"  kubectl lifecycle certs renew kubeconfig",
		Args: env.UsageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return c.renew(cmd.Context(), args, f) },
	}
	env.AddDryRun(cmd.Flags(), &f.dryRun, "client or server: ask the hosts, show what would be done, and change nothing")
	cmd.Flags().BoolVar(&f.force, "force", false, "Renew also what was renewed within the last day")
	cmd.Flags().BoolVar(&f.noSnapshot, "no-snapshot", false, "Take no snapshot of etcd")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "Do not ask for confirmation")
	f.runner.Add(cmd.Flags())
	return cmd
}

func (c commands) renew(ctx context.Context, args []string, f renewFlags) error {
	dry, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == own {
		return c.renewOwn(ctx, dry, f)
	}
	names, err := certrenew.Names(args)
	if err != nil {
		return err
	}
	r, err := c.decideRenewal(ctx, names, f)
	if err != nil {
		return env.NothingChanged(err)
	}
	r.NoSnapshot = f.noSnapshot
	p := r.Plan()
	c.ShowPlan(p, nil)
	switch {
	case r.Idle():
		c.Say("nothing to renew")
		return nil
	case dry != env.DryRunNone:
		return nil
	case !f.yes:
		if err := c.Confirm("Renew these certificates?", "renew"); err != nil {
			return err
		}
	}
	progress := c.Progress()
	defer progress.Close()
	result, err := p.Run(ctx, progress)
	if err == nil {
		return c.toldRenewal(r)
	}
	if len(result.Done) > 1 { // more than the lock
		err = plan.Begun(err)
	}
	return errors.Join(err, r.Release(ctx))
}

// decideRenewal reads the control planes, and decides.
func (c commands) decideRenewal(ctx context.Context, names []string, f renewFlags) (*certrenew.Renewal, error) {
	cluster, err := c.Cluster(f.runner)
	if err != nil {
		return nil, err
	}
	var facts certrenew.Facts
	progress := c.Progress()
	defer progress.Close()
	_, err = plan.Plan{Title: "Read certificates", Steps: []plan.Step{{
		ID: "read", Title: "Ask the hosts of the control planes for their certificates",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			facts, err = certrenew.Read(ctx, cluster, report)
			return err
		},
	}}}.Run(ctx, progress)
	if err != nil {
		return nil, err
	}
	return certrenew.New(cluster, facts, certs.Wish{Names: names, Force: f.force, Now: time.Now()}, env.Who())
}

// toldRenewal says on stdout what has become of each host.
func (c commands) toldRenewal(r *certrenew.Renewal) error {
	return c.Print("", r.Outcomes, func(s *view.Sheet) error {
		for _, h := range r.Hosts {
			switch { // the sheet keeps the error
			case h.Idle():
			case len(h.Names) == 0:
				_ = s.Line("node/%s: what was renewed before is in use", view.Name(h.Node.Name))
			default:
				_ = s.Line("node/%s: %s renewed, and in use", view.Name(h.Node.Name), text.Count(len(h.Names), "certificate"))
			}
		}
		_ = s.Line("copies of admin.conf are not renewed with it; yours: kubectl lifecycle certs renew kubeconfig")
		return s.Err
	})
}
