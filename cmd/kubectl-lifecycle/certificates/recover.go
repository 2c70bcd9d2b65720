// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubeletrecovery"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const recoverLong = `Bring back a node whose kubelet's client certificate has expired: it is NotReady, and its
kubelet is refused by the API server, so that no pod can be started there.

With --ssh, the host is asked whether it is that node and its certificate has expired; then
its kubelet asks for another one with a bootstrap token that is for it alone, as it did
when the host joined. The token is revoked when the node is Ready.

Without it, the commands that do the same are printed, to be run as root on the host; the
token in them lives for 15 minutes, and --wait revokes it when the node is Ready.

What the kubelet had is kept on the host in /var/backups/kubectl-lifecycle. The pods there
keep running, on a control plane, too; its kubelet asks the same API server as before.`

// recoverFlags are the flags of certs recover-kubelet.
type recoverFlags struct {
	dryRun, ssh string
	yes, wait   bool
	timeout     time.Duration
}

func newRecoverCommand(c commands) *cobra.Command {
	var f recoverFlags
	cmd := &cobra.Command{
		Use:   "recover-kubelet NODE",
		Short: "Bring back a node whose kubelet's certificate has expired",
		Long:  recoverLong,
		Example: "  kubectl lifecycle certs recover-kubelet worker-3 --ssh root@worker-3\n" +
			"  kubectl lifecycle certs recover-kubelet worker-3 | ssh root@worker-3 sh\n" +
			"  kubectl lifecycle certs recover-kubelet worker-3 --wait",
		Args: env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return c.recover(cmd.Context(), args[0], f) },
	}
	env.AddDryRun(cmd.Flags(), &f.dryRun, "client or server: show what would be done, or the commands with a placeholder, and change nothing")
	cmd.Flags().StringVar(&f.ssh, "ssh", "", "Host of the node, as ssh takes it: [USER@]HOST or a Host of your ~/.ssh/config")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "Do not ask for confirmation; with --ssh")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "Without --ssh: wait until the node is Ready, then revoke the token")
	cmd.Flags().DurationVar(&f.timeout, "timeout", kubeletrecovery.TTL, "How long all of it may take; 0 means no limit")
	return cmd
}

func (c commands) recover(ctx context.Context, arg string, f recoverFlags) error {
	name, err := env.NodeName(arg)
	if err != nil {
		return err
	}
	dry, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return err
	}
	host := sshcarrier.Host{Destination: f.ssh}
	switch {
	case f.ssh != "" && f.wait:
		return env.Misused("--wait is for the printed commands: --ssh waits in any case")
	case f.ssh != "":
		if err := host.Validate(); err != nil {
			return err
		}
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	r, err := kubeletrecovery.New(ctx, client, name, env.Who())
	if err != nil {
		return env.NothingChanged(err)
	}
	if f.ssh == "" {
		return c.printRecovery(ctx, r, dry, f.wait)
	}
	p := r.Plan(host)
	c.ShowPlan(p, nil)
	switch {
	case dry != env.DryRunNone:
		return nil
	case !f.yes:
		if err := c.Confirm("Recover the kubelet of "+name+" on "+f.ssh+"?", "recover"); err != nil {
			return err
		}
	}
	progress := c.Progress()
	defer progress.Close()
	if _, err := p.Run(ctx, progress); err != nil {
		return err
	}
	return c.Print("", r.Done, func(s *view.Sheet) error {
		return s.Line("node/%s: its kubelet has a certificate until %s", view.Name(name), r.Done.Ends.UTC().Format(time.DateOnly))
	})
}

// printRecovery prints the commands, and waits where that is asked for.
func (c commands) printRecovery(ctx context.Context, r *kubeletrecovery.Recovery, dry env.DryRun, wait bool) error {
	if dry != env.DryRunNone {
		c.Say("dry run: nothing was made; the token is a placeholder")
		return c.Binary([]byte(r.Script(bootstrap.Placeholder())))
	}
	token, err := r.MakeToken(ctx)
	if err != nil {
		return env.NothingChanged(err)
	}
	if err := c.Binary([]byte(r.Script(token))); err != nil {
		return errors.Join(err, r.Revoke(context.WithoutCancel(ctx)))
	}
	c.Say("run it as root on the host of %s; the token in it ends in %s", r.Node.Name, kubeletrecovery.TTL)
	if !wait {
		c.Say("afterwards: %s", text.Command("kubectl", "lifecycle", "join", "revoke", token.ID))
		return nil
	}
	progress := c.Progress()
	defer progress.Close()
	_, err = plan.Plan{Title: "Wait for the kubelet", Steps: []plan.Step{
		{ID: "ready", Title: "Wait until node " + r.Node.Name + " is Ready", Do: r.Await},
		{ID: "revoke", Title: "Revoke the token", Do: func(ctx context.Context, _ plan.Report) error { return r.Revoke(ctx) }},
	}}.Run(ctx, progress)
	return err
}
