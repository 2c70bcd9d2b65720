// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

const removeLong = `Take nodes out of the cluster and leave each host as it was before it joined:
start the program on the host (before anything is drained), drain the node,
stop its kubelet, take away the sandboxes, mounts, links, routes, packet-filter
rules and files of Kubernetes and its network, look at the host again, and only
after the verdict "clean" delete the Node, and wait until it and its pods are
gone. What a finalizer holds is named and waited for, and the finalizer is never
removed; run the same command again when it is gone.

Everything that is not provably Kubernetes' or the network's stays as it is.
What stays and still refers to the cluster (a kubeconfig, a token, an address) is
named: the host is "clean, but", and the exit code is 3.
Run it again after any interruption: it continues where it stopped. Where a step
fails, the program on the host waits for you to run the command again or to abort
the run: kubectl lifecycle runs abort NODE.

Several workers go in waves of --max-parallel, each wave under one account of
the disruption budgets; then control planes, one at a time, each only if the
others keep etcd's quorum. The last one is refused.

A host that is dead for good is given up with --node-lost.`

// removeFlags are the flags of remove.
type removeFlags struct {
	leaveFlags
	selector            string
	missingOK, nodeLost bool
	hostOff             bool
}

// leaveFlags are those of every command after which a host has left its cluster.
type leaveFlags struct {
	env.RunnerFlags
	drain          drain.Options
	output, dryRun string
	yes            bool
	timeout        time.Duration
	patience       time.Duration
	choices        inventory.Choices
	surge          string
}

func newRemoveCommand(c commands) *cobra.Command {
	f := removeFlags{leaveFlags: defaultLeave()}
	cmd := &cobra.Command{
		Use:   "remove NODE...",
		Short: "Take nodes out of the cluster and leave their hosts clean",
		Long:  removeLong,
		Example: "  kubectl lifecycle remove worker-3\n" +
			"  kubectl lifecycle remove worker-3 --dry-run=server\n" +
			"  kubectl lifecycle remove worker-3 --yes --delete-emptydir-data --timeout 30m\n" +
			"  kubectl lifecycle remove -l rack=7 --max-parallel 3\n" +
			"  kubectl lifecycle remove worker-3 --node-lost",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.hostOff && !f.nodeLost:
				return env.Misused("--confirm-host-off goes with --node-lost")
			case f.selector != "" || len(args) > 1:
				return c.removeMany(cmd.Context(), args, f)
			case len(args) == 0:
				return plan.As(plan.Misused, plan.Hint(errors.New("no node given"),
					"name nodes, or choose them by their labels with -l; see 'kubectl lifecycle remove --help'"))
			}
			return c.remove(cmd.Context(), args[0], f)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

func defaultLeave() leaveFlags {
	f := leaveFlags{drain: drain.DefaultOptions()}
	f.drain.IgnoreDaemonSets = true
	return f
}

func (f *removeFlags) add(flags *pflag.FlagSet) {
	f.leaveFlags.add(flags)
	flags.BoolVar(&f.nodeLost, "node-lost", false,
		"The host is dead: give up its pods, have its volumes detached and delete the Node, without cleaning the host. Refused if the node "+
			"shows any sign of life")
	flags.BoolVar(&f.hostOff, "confirm-host-off", false,
		"With --node-lost: you have seen that the host is switched off, or that it runs no pod of this cluster any more (it was reset by hand). "+
			"Needed where the cluster cannot tell (you may not ask the kubelet, or a machine answers at its address)")
	flags.StringVarP(&f.selector, "selector", "l", "", "Nodes with these labels")
	flags.StringVar(&f.drain.MaxParallel, "max-parallel", f.drain.MaxParallel,
		"How many workers are removed at the same time: a number, or a percentage of them; control planes go one at a time")
	flags.BoolVar(&f.missingOK, "ignore-not-found", false, "Treat a node that does not exist as removed")
}

func (f *leaveFlags) add(flags *pflag.FlagSet) {
	f.Add(flags)
	env.AddOutput(flags, &f.output, "name")
	env.AddDryRun(flags, &f.dryRun, "none, client (show the plan from what the API says) or server (also name the exact objects on the host, "+
		"through one read-only pod)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "Do not ask for confirmation")
	flags.DurationVar(&f.timeout, "timeout", 0, "How long all of it may take, the host's part included; 0 means no limit")
	flags.DurationVar(&f.patience, "patience", time.Hour,
		"How long the program on the host waits for an order before it aborts the run and starts the kubelet again")
	flags.StringVar((*string)(&f.choices.Firewall), "firewall", string(inventory.FirewallOwned),
		"Which packet-filter rules go: owned (what is Kubernetes' or its network's), none, or flush (every rule of iptables, no matter who "+
			"made it)")
	flags.BoolVar(&f.choices.NoBackup, "no-backup", false,
		"Do not back up the configuration that goes, in "+inventory.BackupDir+" of the host")
	flags.BoolVar(&f.choices.NoKeys, "shred-keys", false,
		"Leave everything secret out of the backup, registry credentials and static pods' passwords, too; the files are deleted, not overwritten")
	flags.BoolVar(&f.choices.BackupKeys, "backup-keys", false,
		"Back up private keys and credentials of the cluster, too (of a control plane its CA keys): the backup then gives access to the cluster")
	flags.BoolVar(&f.choices.DeleteHostData, "delete-host-data", false,
		"Remove the node, too, if pods keep data (hostPath, local volumes) below directories that are deleted; it is lost")
	flags.BoolVar(&f.drain.Force, "force", false, "Also evict pods that no controller recreates")
	flags.BoolVar(&f.drain.DeleteEmptyDirData, "delete-emptydir-data", false, "Also evict pods that have data in an emptyDir, which is lost")
	flags.BoolVar(&f.drain.DisableEviction, "disable-eviction", false, "Delete instead of evicting, ignoring PodDisruptionBudgets")
	flags.BoolVar(&f.drain.IgnoreDaemonSets, "ignore-daemonsets", true,
		"Leave the pods of DaemonSets until the host is cleaned, as a removal does anyway; false refuses a node that has any")
	flags.StringVar(&f.drain.PodSelector, "pod-selector", "",
		"Drain only pods with these labels; the others run until the host is cleaned, and end with it (for a storage engine: app!=osd)")
	flags.StringVar(&f.surge, "surge", string(surge.Off),
		"What to do for Deployments whose budget never lets a pod go: auto (one more replica where that helps, else a rolling restart), "+
			"restart or off; reverted at the end")
	flags.IntVar(&f.drain.GracePeriodSeconds, "grace-period", -1, "Seconds each pod gets to stop; negative means its own")
}

func (c commands) remove(ctx context.Context, arg string, f removeFlags) error {
	name, nameErr := env.NodeName(arg)
	mode, err := f.validate()
	if err := errors.Join(nameErr, err); err != nil {
		return err
	}
	cluster, err := c.Cluster(f.RunnerFlags)
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	if f.nodeLost {
		return c.removeLost(ctx, cluster, name, mode, f)
	}
	removal, err := flow.PrepareRemove(ctx, cluster, name, f.options())
	if errors.Is(err, kubenode.ErrNotFound) {
		return c.absent(ctx, cluster, name, f, err)
	}
	if err != nil {
		return env.NothingChanged(err)
	}
	if mode != env.DryRunNone {
		return c.rehearse(ctx, f.output, false, rehearsed{removal, removal.Plan(), mode, "removed"})
	}
	c.ShowPlan(removal.Plan(), care(removal))
	if !f.yes {
		if err := c.Confirm(fmt.Sprintf("This takes node %s out of the cluster and cleans its host.", name), name); err != nil {
			return err
		}
	}
	if err := c.runRemoval(ctx, removal, removal.Plan()); err != nil {
		return err
	}
	return errors.Join(c.tellRemoved(removal, f.output), departure.StillThere(removal.Lingering))
}

// validate checks what can be wrong about the flags.
func (f *leaveFlags) validate() (env.DryRun, error) {
	mode, err := env.ParseDryRun(f.dryRun)
	return mode, errors.Join(err, view.CheckFormat(f.output, "name"), f.drain.Validate(), surge.Mode(f.surge).Validate(),
		plan.As(plan.Misused, f.choices.Validate()))
}

func (f *leaveFlags) options() flow.Request {
	f.drain.Self = env.OwnPod()
	return flow.Request{Drain: f.drain, Surge: surge.Mode(f.surge), Choices: f.choices, Who: env.Who(), Patience: f.patience}
}

// runRemoval runs a plan of which a removal is the main part.
func (c commands) runRemoval(ctx context.Context, removal *flow.Removal, p plan.Plan) error {
	progress := c.Progress()
	removal.Watch = progress
	_, err := p.Run(ctx, progress)
	progress.Close()
	for _, back := range removal.Returned {
		c.Warn("%s of %s was recreated on the cordoned node (%s) and ended with the host", back.Pod, back.Owners, back.Why)
	}
	for _, line := range removal.Held {
		c.Warn("%s", line)
	}
	return err
}

// absent is the answer for a node that does not exist: it may be the end of a
// removal that was interrupted between the Node and the record.
func (c commands) absent(ctx context.Context, cluster runner.Cluster, name string, f removeFlags, cause error) error {
	mode, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return err
	}
	unfinished, found, err := flow.FindUnfinished(ctx, cluster, name)
	if err != nil {
		return env.NothingChanged(err)
	}
	if !found && f.nodeLost {
		unfinished, found, err = flow.FindOrphans(ctx, cluster, name)
		if err != nil {
			return env.NothingChanged(err)
		}
	}
	switch {
	case found && mode != env.DryRunNone:
		return c.Sheet().Line("node/%s is gone; %s of it would be deleted, and the record of its removal (dry run: nothing was changed)",
			view.Name(name), view.CountPods(unfinished.Pods))
	case found:
		left, err := unfinished.Finish(ctx)
		if err != nil {
			return err
		}
		return errors.Join(c.Sheet().Line("node/%s removed", view.Name(name)), departure.StillThere(left))
	case f.missingOK:
		c.Say("node %s does not exist: nothing to do in the cluster; its host was not looked at", name)
		return nil
	}
	return plan.Refuse(cause, "%s; --ignore-not-found treats it as removed", kubenode.NoNodeHint)
}
