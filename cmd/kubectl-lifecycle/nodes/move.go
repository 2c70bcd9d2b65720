// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const moveLong = `Take a worker out of this cluster and join its host to another, whose context the
kubeconfig has: check both clusters, and from the host whether it reaches the
other one and may join it; drain; clean the host as "remove" does; have kubeadm
join it there; wait until the node is Ready.

Run it again after any interruption: it continues where it stopped. A host that
cannot join is left clean, and the command to continue with is printed.`

// moveFlags are the flags of move.
type moveFlags struct {
	leaveFlags
	toContext, toKubeconfig string
	ignore                  []string
}

func newMoveCommand(c commands) *cobra.Command {
	f := moveFlags{leaveFlags: defaultLeave()}
	cmd := &cobra.Command{
		Use:   "move NODE --to-context CONTEXT",
		Short: "Take a worker out of this cluster and join its host to another",
		Long:  moveLong,
		Example: "  kubectl lifecycle move worker-3 --to-context staging\n" +
			"  kubectl lifecycle move worker-3 --to-context staging --dry-run=server\n" +
			"  kubectl lifecycle move worker-3 --to-kubeconfig ~/staging.conf --yes",
		Args: env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return c.move(cmd.Context(), args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *moveFlags) add(flags *pflag.FlagSet) {
	f.leaveFlags.add(flags)
	flags.StringVar(&f.toContext, "to-context", "", "Context of the cluster to move to (default: the current one of --to-kubeconfig)")
	flags.StringVar(&f.toKubeconfig, "to-kubeconfig", "", "Kubeconfig of the cluster to move to (default: the same as this cluster's)")
	flags.StringSliceVar(&f.ignore, "ignore-preflight-errors", nil, "Checks of kubeadm whose failure is only a warning when the host joins")
}

// destination connects to the cluster to move to.
func (c commands) destination(f moveFlags) (flow.Destination, error) {
	to := flow.Destination{Name: f.toContext, IgnorePreflightErrors: f.ignore}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = cmp.Or(f.toKubeconfig, *c.Flags.KubeConfig)
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: f.toContext})
	config, err := loader.ClientConfig()
	if err != nil {
		return to, plan.As(plan.Refused, plan.Hint(fmt.Errorf("the cluster to move to: %w", err),
			"see which contexts there are: kubectl config get-contexts"))
	}
	if to.Name == "" {
		to.Name = config.Host
	}
	config.QPS, config.UserAgent = -1, c.UserAgent()
	if to.Client, err = kubernetes.NewForConfig(config); err != nil {
		return to, plan.As(plan.Refused, err)
	}
	return to, nil
}

func (c commands) move(ctx context.Context, arg string, f moveFlags) error {
	name, nameErr := env.NodeName(arg)
	mode, err := f.validate()
	if err := errors.Join(nameErr, err); err != nil {
		return err
	}
	if f.toContext == "" && f.toKubeconfig == "" {
		return plan.As(plan.Misused, plan.Hint(errors.New("no destination given"),
			"name the other cluster: --to-context CONTEXT (kubectl config get-contexts), or --to-kubeconfig FILE"))
	}
	cluster, err := c.Cluster(f.RunnerFlags)
	if err != nil {
		return err
	}
	to, err := c.destination(f)
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	moving, err := flow.PrepareMove(ctx, cluster, to, name, f.options())
	if err != nil {
		return env.NothingChanged(err)
	}
	p := moving.Plan()
	if mode != env.DryRunNone {
		return c.rehearse(ctx, f.output, false, rehearsed{moving.Removal, p, mode, "moved to " + to.Name})
	}
	c.ShowPlan(p, care(moving.Removal))
	if !f.yes && !moving.Gone {
		if err := c.Confirm(fmt.Sprintf("This takes node %s out of its cluster, cleans its host, and joins it to %s.", name, to.Name),
			name); err != nil {
			return err
		}
	}
	if err := c.runRemoval(ctx, moving.Removal, p); err != nil {
		return err
	}
	return errors.Join(c.tellMoved(moving, to.Name, f.output), departure.StillThere(moving.Lingering))
}

// moved is the machine-readable result of a move.
type moved struct {
	Node string `json:"node"`
	To   string `json:"to"`
	// Verdict is the host's between the two clusters; empty if another call has
	// seen it.
	Verdict inventory.Verdict `json:"verdict,omitzero"`
	// Lingering are pods that the cluster it has left still has.
	Lingering []departure.Lingering `json:"lingering,omitempty"`
}

func (c commands) tellMoved(moving *flow.Move, to, output string) error {
	name := moving.Node.Name
	if output == "name" {
		return errors.Join(c.Names("node", name), stillRefers(name, moving.Verdict))
	}
	result := moved{Node: name, To: to, Verdict: moving.Verdict, Lingering: moving.Lingering}
	err := c.Print(output, view.Of("NodeMove", result), func(s *view.Sheet) error {
		c.tellVerdict(moving.Verdict)
		return s.Line("node/%s moved to %s", view.Name(name), to)
	})
	return errors.Join(err, stillRefers(name, moving.Verdict))
}
