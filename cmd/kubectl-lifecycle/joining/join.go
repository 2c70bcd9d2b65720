// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const joinLong = `Create a bootstrap token and print the kubeadm join command for a new host: with
the endpoint that cluster-info names (not the one in your kubeconfig, which may
be a tunnel), a pin for each certificate authority, and only once cluster-info
is signed with the token and the API server accepts it, so that the command works
the moment it is shown. What would keep a host from joining is reported first, and if
no host could join at all (cluster-info has a certificate authority that has not
signed the API server's certificate, or the kubelet's configuration is gone), no
token is made.

stdout holds the command alone; everything else goes to stderr. Run it as root
on the host, best through a pipe: as an argument of ssh, the token would be in
the process lists of both machines. On the host it is an argument of kubeadm,
for as long as that runs.

--ssh does all of it: it prepares each host over your own ssh (see 'prep'), has
kubeadm join it, waits until its node is Ready, and revokes its token. A host that
is a node of the cluster already is left as it is.

--wait follows the host, from its certificate request to a Ready node, says what
each stage waits for, and revokes the token when the node is Ready. If you stop
following (--timeout, Ctrl-C) before the host has registered its node, the token
stays until it expires, because the command may be on its way to a host; the output
says how to revoke it and how to continue following. Once the node is there the
token has done its work, and is revoked in any case. An existing token
(--bootstrap-token ID) is never revoked.

A node that is Ready may still get no pods: it took over a Node that is cordoned,
or has a taint that no controller removes within half a minute. The exit code is
0, since the host has joined; what keeps pods away is reported at the end.`

// joinFlags are the flags of join.
type joinFlags struct {
	ttl, timeout       time.Duration
	token, description string
	command            join.CommandOptions
	wait               bool
	output, dryRun     string
	// prep is for hosts that are joined by ssh.
	prep prepFlags
}

func newJoinCommand(c commands) *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Print the command with which a host joins, and follow it until it is Ready",
		Long:  joinLong,
		Example: "  kubectl lifecycle join\n" +
			"  kubectl lifecycle join --ssh root@10.0.0.7 --ssh root@10.0.0.8\n" +
			"  kubectl lifecycle join --wait\n" +
			"  kubectl lifecycle join -o command --node-name worker-3 | ssh root@worker-3 sh\n" +
			"  kubectl lifecycle join --bootstrap-token abcdef --wait    # go on following",
		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.join(cmd.Context(), f) },
	}
	f.add(cmd.Flags())
	cmd.AddCommand(newListCommand(c), newRevokeCommand(c))
	return cmd
}

func (f *joinFlags) add(flags *pflag.FlagSet) {
	env.AddOutput(flags, &f.output, "command")
	env.AddDryRun(flags, &f.dryRun, "none, client (show the command with a placeholder for the token) or server (also have the API server "+
		"check the token's Secret)")
	flags.DurationVar(&f.ttl, "ttl", bootstrap.DefaultTTL, "How long the token lives, from 1m to 24h")
	flags.StringVar(&f.token, "bootstrap-token", "", "Token to make (ID.SECRET), or the ID of an existing one to use; default: a random one")
	flags.StringVar(&f.description, "description", "", "Description of the token (default: who made it)")
	flags.StringVar(&f.command.NodeName, "node-name", "", "Name of the node (default: the host's name)")
	flags.StringVar(&f.command.CRISocket, "cri-socket", "", "CRI socket on the host (default: kubeadm finds it)")
	flags.StringSliceVar(&f.command.IgnorePreflightErrors, "ignore-preflight-errors", nil,
		"Checks of kubeadm whose failure is only a warning on the host")
	flags.BoolVar(&f.wait, "wait", false, "Follow the host until its node is Ready, then revoke the token")
	flags.DurationVar(&f.timeout, "timeout", 0, "How long --wait waits; 0 means as long as the token lives")
	f.prep.add(flags)
}

// request turns the flags into what is asked for; every error is one of usage.
func (f *joinFlags) request() (bootstrap.Request, env.DryRun, error) {
	mode, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return bootstrap.Request{}, mode, err
	}
	r := bootstrap.Request{TTL: f.ttl, Description: f.description, DryRun: mode == env.DryRunServer}
	if f.token != "" {
		if r.Token, err = bootstrap.Parse(f.token); err != nil {
			return bootstrap.Request{}, mode, err
		}
	}
	if r.Description == "" {
		r.Description = "kubectl lifecycle join by " + env.Who()
	}
	if err := f.contradiction(mode); err != nil {
		return bootstrap.Request{}, mode, plan.As(plan.Misused, plan.Hint(err, "see 'kubectl lifecycle join --help'"))
	}
	return r, mode, errors.Join(r.Validate(), f.command.Validate(), view.CheckFormat(f.output, "command"))
}

// contradiction is the error of flags that do not go together.
func (f *joinFlags) contradiction(mode env.DryRun) error {
	bySSH := len(f.prep.ssh) > 0
	switch {
	case f.wait && mode != env.DryRunNone:
		return errors.New("--wait cannot be combined with --dry-run")
	case f.timeout < 0:
		return fmt.Errorf("--timeout must not be negative, got %s", f.timeout)
	case f.timeout > 0 && !f.wait && !bySSH:
		return errors.New("--timeout is for --wait and --ssh")
	case bySSH && (f.token != "" || mode != env.DryRunNone):
		return errors.New("--ssh makes a token for each host; it cannot be combined with --bootstrap-token or --dry-run (see: prep --ssh)")
	case len(f.prep.ssh) > 1 && f.command.NodeName != "":
		return errors.New("--node-name is for one host")
	case !bySSH && (f.prep.hostname != "" || f.prep.timeZone != ""):
		return errors.New("--hostname and --time-zone are for --ssh")
	}
	return nil
}

// joined is the machine-readable result.
type joined struct {
	Command string          `json:"command"`
	Cluster join.Cluster    `json:"cluster"`
	Token   bootstrap.Token `json:"token"`
}

func (c commands) join(ctx context.Context, f joinFlags) error {
	request, mode, err := f.request()
	if err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	cluster, err := join.Survey(ctx, client)
	if err != nil {
		return env.NothingChanged(err)
	}
	outside := c.outside(ctx)
	cluster.Compare(outside, time.Now())
	more, err := check.Name(ctx, client, f.command.NodeName, cordonedBy)
	if err != nil {
		return env.NothingChanged(err)
	}
	refusal := cluster.Refusal()
	for _, w := range append(cluster.Warnings, more...) {
		if !w.Certain {
			c.warnOf(w)
		}
	}
	if refusal != nil {
		return refusal
	}
	if len(f.prep.ssh) > 0 {
		return c.joinBySSH(ctx, client, cluster, f)
	}
	if mode != env.DryRunNone {
		return c.rehearseJoin(ctx, client, cluster, request, f)
	}
	token, err := c.makeToken(ctx, client, outside, request)
	if err != nil {
		return err
	}
	if err := c.printJoin(cluster, token, f); err != nil {
		if request.Token.IsReference() {
			return err
		}
		return errors.Join(err, c.revoke(ctx, client, token))
	}
	c.Say("run it as root on the host, which needs kubeadm and kubelet of %s; %s", orSome(cluster.KubernetesVersion), life(token))
	if !f.wait {
		c.sayHowToGoOn(token)
		return nil
	}
	if limit := f.limit(request, token); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return c.followHost(ctx, client, token, f)
}

// limit is how long the host is waited for: as long as the token lives where no
// --timeout says otherwise, and without end for one that lives for ever.
func (f joinFlags) limit(request bootstrap.Request, token bootstrap.Token) time.Duration {
	switch {
	case f.timeout > 0:
		return f.timeout
	case !request.Token.IsReference():
		return f.ttl
	case !token.Expires.IsZero():
		return time.Until(token.Expires)
	}
	return 0
}

// printJoin writes the command to stdout.
func (c commands) printJoin(cluster join.Cluster, token bootstrap.Token, f joinFlags) error {
	format := f.output
	if format == "command" {
		format = ""
	}
	result := joined{Command: join.Command(cluster, token, f.command), Cluster: cluster, Token: token}
	return c.Print(format, result, func(s *view.Sheet) error { return s.Command("", result.Command) })
}

// rehearseJoin shows the command without a token that works.
func (c commands) rehearseJoin(ctx context.Context, client kubernetes.Interface, cluster join.Cluster, r bootstrap.Request,
	f joinFlags) error {
	if r.DryRun || r.Token.IsReference() {
		if _, err := bootstrap.Mint(ctx, client, r); err != nil {
			return env.NothingChanged(err)
		}
	}
	if err := c.printJoin(cluster, bootstrap.Placeholder(), f); err != nil {
		return err
	}
	c.Say("dry run: nothing was made; the token above is a placeholder")
	return nil
}

// followHost follows the host and revokes the token.
func (c commands) followHost(ctx context.Context, client kubernetes.Interface, token bootstrap.Token, f joinFlags) error {
	var host arrival.Arrival
	p := plan.Plan{Title: "Follow the host", Steps: []plan.Step{
		{ID: "arrival", Title: "Join the host", Do: func(ctx context.Context, report plan.Report) (err error) {
			host, err = arrival.Follow(ctx, client, arrival.Request{Token: token, NodeName: f.command.NodeName, Note: cordonedBy}, report)
			return err
		}},
	}}
	if !token.Foreign {
		p.Steps = append(p.Steps, plan.Step{ID: "revoke", Title: "Revoke the token", Do: func(ctx context.Context, _ plan.Report) error {
			return c.revoke(ctx, client, token)
		}})
	}
	progress := c.Progress()
	_, err := p.Run(ctx, progress)
	progress.Close()
	if err == nil {
		c.Say("node/%s joined", host.Node)
		for _, w := range host.Away {
			c.warnOf(w)
		}
		return nil
	}
	return errors.Join(err, c.leave(ctx, client, token, mayCome(host, err)))
}
