// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
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

-o script prints a script instead, which prepares the host (modules, kernel settings,
swap; the ids of its messages are those of 'prep') and has kubeadm join it, with the
token in a file that only root can read. It needs nothing of this program on the
host. Run again, it leaves a node of the cluster as it is, and refuses a host that has
joined another cluster or where a join has failed halfway. -o cloud-init prints it as
user data. Anyone who reads it while the token lives (--ttl) can join a host. Both are for
workers.

--ssh does all of it: it prepares each host over your own ssh (see 'prep'), has
kubeadm join it, waits until its node is Ready, and revokes its token. A host that
is a node of the cluster already is left as it is. With --install, containerd, kubeadm,
kubelet and kubectl of the cluster's version are installed first, where they are not
there: from pkgs.k8s.io, from a mirror (--repo), or from files (--from).

--control-plane makes the host another control plane. The host of one that there is
encrypts the cluster's certificates, with a key that is made here, and they stay in
secret kube-system/kubeadm-certs for as long as the token lives, two hours at most. The
command then holds the key as well: anyone who has it and the token has the cluster. Control
planes join one at a time, and only to a healthy etcd.

--wait follows the host, from its certificate request to a Ready node, says what
each stage waits for, and revokes the token when the node is Ready. If you stop
following (--timeout, Ctrl-C) before the host has registered its node, the token
stays until it expires, because the command may be on its way to a host; the output
says how to revoke it and how to continue following. Once the node is there the
token has done its work, and is revoked in any case. An existing token
(--bootstrap-token ID) is never revoked.

--role, --labels and --taints are given to the node once it is Ready, as a kubelet may
not give itself a role. Until then other pods may be scheduled to it.

A node that is Ready may still get no pods: it took over a Node that is cordoned,
or has a taint that no controller removes within half a minute. The exit code is
0, since the host has joined; what keeps pods away is reported at the end.`

// joinFlags are the flags of join.
type joinFlags struct {
	ttl, timeout       time.Duration
	token, description string
	command            join.CommandOptions
	wait, controlPlane bool
	output, dryRun     string
	// runner is how the host of a control plane is reached.
	runner env.RunnerFlags
	// prep is for hosts that are joined by ssh.
	prep prepFlags
	// wanted is what the cluster wants of a host, for a script.
	wanted prep.Wanted
	// roles, labels and taints are what the node gets once it is Ready.
	roles, labels, taints []string
}

func newJoinCommand(c commands) *cobra.Command {
	var f joinFlags
	cmd := &cobra.Command{
		Use:   "join",
		Short: "Print the command by which a host joins, and follow the host",
		Long:  joinLong,
		Example: "  kubectl lifecycle join\n" +
			"  kubectl lifecycle join --control-plane --ssh root@10.0.0.2\n" +
			"  kubectl lifecycle join --ssh root@10.0.0.7 --ssh root@10.0.0.8\n" +
			"  kubectl lifecycle join --wait --role worker --labels rack=7\n" +
			"  kubectl lifecycle join -o command --node-name worker-3 | ssh root@worker-3 sh\n" +
			"  kubectl lifecycle join -o cloud-init --ttl 2h > user-data\n" +
			"  kubectl lifecycle join --bootstrap-token abcdef --wait    # go on following",
		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.join(cmd.Context(), f) },
	}
	f.add(cmd.Flags())
	cmd.AddCommand(newListCommand(c), newRevokeCommand(c))
	return cmd
}

func (f *joinFlags) add(flags *pflag.FlagSet) {
	env.AddOutput(flags, &f.output, "command, script (prepares the host, too), cloud-init (user data with the script)")
	env.AddDryRun(flags, &f.dryRun, "none, client (show the command with a placeholder for the token) or server (also have the API server "+
		"check the token's Secret)")
	flags.DurationVar(&f.ttl, "ttl", bootstrap.DefaultTTL, "How long the token lives, from 1m to 24h")
	flags.StringVar(&f.token, "bootstrap-token", "", "Token to make (ID.SECRET), or the ID of an existing one to use; default: a random one")
	flags.StringVar(&f.description, "description", "", "Description of the token (default: who made it)")
	flags.StringVar(&f.command.NodeName, "node-name", "", "Name of the node (default: the host's name)")
	flags.StringVar(&f.command.CRISocket, "cri-socket", "", "CRI socket on the host (default: kubeadm finds it)")
	flags.StringSliceVar(&f.command.IgnorePreflightErrors, "ignore-preflight-errors", nil,
		"Checks of kubeadm whose failure is only a warning on the host")
	flags.BoolVar(&f.controlPlane, "control-plane", false, "Make the host another control plane: its command, or with --ssh the host itself, "+
		"gets a key to the cluster's certificates")
	f.runner.Add(flags)
	flags.BoolVar(&f.wait, "wait", false, "Follow the host until its node is Ready, then revoke the token")
	flags.DurationVar(&f.timeout, "timeout", 0, "How long --wait waits; 0 means as long as the token lives")
	flags.StringSliceVar(&f.roles, "role", nil,
		"Role of the node once it is Ready, for example worker; needs --wait or --ssh, as the next two do")
	flags.StringSliceVar(&f.labels, "labels", nil, "Labels of the node, KEY=VALUE")
	flags.StringSliceVar(&f.taints, "taints", nil, "Taints of the node, KEY=VALUE:EFFECT or KEY:EFFECT")
	f.prep.add(flags)
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
	outside := c.outside(ctx)
	cluster, err := c.surveyJoin(ctx, client, outside, f)
	if err != nil {
		return err
	}
	another, err := c.controlPlane(ctx, client, cluster, f)
	if err != nil {
		return env.NothingChanged(err)
	}
	if len(f.prep.ssh) > 0 {
		return c.joinBySSH(ctx, another, f)
	}
	if err := f.readWanted(ctx, client); err != nil {
		return env.NothingChanged(err)
	}
	if mode != env.DryRunNone {
		return c.rehearseJoin(ctx, client, cluster, request, f)
	}
	token, err := c.makeToken(ctx, client, outside, request)
	if err != nil {
		return err
	}
	if err := c.offer(ctx, another, token, &f); err != nil {
		return errors.Join(err, another.withdraw(ctx), c.revoke(ctx, client, token))
	}
	if err := c.printJoin(cluster, token, f); err != nil {
		if request.Token.IsReference() {
			return err
		}
		return errors.Join(err, another.withdraw(ctx), c.revoke(ctx, client, token))
	}
	c.Say("run it as root on the host, which needs kubeadm and kubelet of %s; %s", orSome(cluster.KubernetesVersion), life(token))
	if !f.wait {
		c.sayHowToGoOn(token)
		return nil
	}
	ctx, cancel := env.Within(ctx, f.limit(request, token))
	defer cancel()
	return c.followHost(ctx, another, token, f)
}

// surveyJoin reads the cluster, says what is likely to keep a host from joining, and
// refuses a cluster that no host can join.
func (c commands) surveyJoin(ctx context.Context, client kubernetes.Interface, outside join.Outside, f joinFlags) (join.Cluster, error) {
	cluster, err := join.Survey(ctx, client)
	if err != nil {
		return cluster, env.NothingChanged(err)
	}
	cluster.Compare(outside, time.Now())
	more, err := check.Name(ctx, client, f.command.NodeName, cordonedBy)
	if err != nil {
		return cluster, env.NothingChanged(err)
	}
	for _, w := range append(cluster.Warnings, more...) {
		if !w.Certain {
			c.warnOf(w)
		}
	}
	return cluster, cluster.Refusal()
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

// followHost follows the host and revokes the token.
func (c commands) followHost(ctx context.Context, another *another, token bootstrap.Token, f joinFlags) error {
	client := another.cluster.Client
	var host arrival.Arrival
	p := plan.Plan{Title: "Follow the host", Steps: []plan.Step{
		{ID: "arrival", Title: "Join the host", Do: func(ctx context.Context, report plan.Report) (err error) {
			host, err = arrival.Follow(ctx, client, arrival.Request{Token: token, NodeName: f.command.NodeName, Note: cordonedBy}, report)
			return err
		}},
	}}
	p.Steps = append(p.Steps, another.followSteps("", &host.Node)...)
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
