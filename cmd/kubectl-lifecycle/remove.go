// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

const removeLong = `Take a node out of the cluster and leave its host as it was before it joined:
start the program on the host (before anything is drained), drain the node,
stop its kubelet, take away the sandboxes, mounts, links, routes, packet-filter
rules and files of Kubernetes and its network, look at the host again, and only
after the verdict "clean" delete the Node.

Everything that is not provably Kubernetes' or the network's stays as it is.
Run it again after any interruption: it goes on where it was. Where a step
fails, the program on the host waits for you to run it again or to take it
back: kubectl lifecycle runs abort NODE.

A host that is dead for good is given up with --node-lost.`

// removeFlags are the flags of remove.
type removeFlags struct {
	runnerFlags
	drain          drain.Options
	output, dryRun string
	yes, missingOK bool
	timeout        time.Duration
	patience       time.Duration
	choices        clean.Choices
	nodeLost       bool
}

func newRemoveCommand(e *env) *cobra.Command {
	f := removeFlags{drain: drain.DefaultOptions()}
	f.drain.IgnoreDaemonSets = true
	cmd := &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster and leave its host clean",
		Long:  removeLong,
		Example: "  kubectl lifecycle remove worker-3\n" +
			"  kubectl lifecycle remove worker-3 --dry-run=server\n" +
			"  kubectl lifecycle remove worker-3 --yes --delete-emptydir-data --timeout 30m\n" +
			"  kubectl lifecycle remove worker-3 --node-lost",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.remove(cmd.Context(), args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *removeFlags) add(flags *pflag.FlagSet) {
	f.runnerFlags.add(flags)
	addOutput(flags, &f.output, "name")
	addDryRun(flags, &f.dryRun, "none, client (show the plan from what the API says) or server (also name the exact objects on the host, through one read-only pod)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "Do not ask")
	flags.BoolVar(&f.nodeLost, "node-lost", false, "The host is dead: give up its pods, have its volumes detached and delete the Node, without cleaning the host. Refused if the node shows any sign of life")
	flags.BoolVar(&f.missingOK, "ignore-not-found", false, "A node that does not exist is no error")
	flags.DurationVar(&f.timeout, "timeout", 0, "How long all of it may take, the host's part included; 0 means no limit")
	flags.DurationVar(&f.patience, "patience", time.Hour, "How long the program on the host waits for somebody before it starts the kubelet again")
	flags.StringVar((*string)(&f.choices.Firewall), "firewall", string(clean.FirewallOwned), "Which packet-filter rules go: owned (what is Kubernetes' or its network's) or none")
	flags.BoolVar(&f.choices.NoBackup, "no-backup", false, "Do not back up the configuration that goes, in "+clean.BackupDir+" of the host")
	flags.BoolVar(&f.choices.NoKeys, "shred-keys", false, "Keep private keys and credentials out of the backup: they are gone then")
	flags.BoolVar(&f.drain.Force, "force", false, "Evict pods, too, that no controller will create again")
	flags.BoolVar(&f.drain.DeleteEmptyDirData, "delete-emptydir-data", false, "Evict pods, too, that have data in an emptyDir, which is lost")
	flags.BoolVar(&f.drain.DisableEviction, "disable-eviction", false, "Delete instead of evicting: no PodDisruptionBudget is heeded")
	flags.IntVar(&f.drain.GracePeriodSeconds, "grace-period", -1, "Seconds each pod gets to stop; negative means its own")
}

func (e *env) remove(ctx context.Context, arg string, f removeFlags) error {
	mode, err := parseDryRun(f.dryRun)
	name, nameErr := nodeName(arg)
	if err := errors.Join(err, nameErr, checkOutput(f.output, "name"), f.drain.Validate(), plan.As(plan.Misused, f.choices.Validate())); err != nil {
		return err
	}
	cluster, err := e.cluster(f.runnerFlags)
	if err != nil {
		return err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	if f.nodeLost {
		return e.removeLost(ctx, cluster, name, mode, f)
	}
	removal, err := flow.PrepareRemove(ctx, cluster, name, flow.RemoveOptions{Drain: f.drain, Choices: f.choices, Who: who(), Patience: f.patience})
	if errors.Is(err, flow.ErrNoNode) {
		return e.absent(ctx, cluster, name, f, err)
	}
	if err != nil {
		return nothingChanged(err)
	}
	if mode != dryRunNone {
		return e.rehearseRemove(ctx, removal, mode, f)
	}
	e.showPlan(removal.Plan(), removal.Drain.Warnings())
	if !f.yes {
		if err := e.confirm(fmt.Sprintf("This takes node %s out of the cluster and cleans its host.", name), name); err != nil {
			return err
		}
	}
	return e.runRemove(ctx, removal, f)
}

func (e *env) runRemove(ctx context.Context, removal *flow.Removal, f removeFlags) error {
	progress := e.progress()
	removal.Watch = progress
	_, err := removal.Plan().Run(ctx, progress)
	progress.close()
	for _, back := range removal.Returned {
		e.warn("%s of %s came back to the cordoned node (%s) and ended with it", back.Pod, back.Owners, back.Why)
	}
	if err != nil {
		return err
	}
	return e.tellRemoved(removal, f.output)
}

// removed is the machine-readable result of a removal.
type removed struct {
	Node    string        `json:"node"`
	Verdict clean.Verdict `json:"verdict"`
}

func (e *env) tellRemoved(removal *flow.Removal, output string) error {
	name := removal.Node.Name
	if output == "name" {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s\n", name)
		return err
	}
	return e.print(output, removed{Node: name, Verdict: removal.Verdict}, func(w io.Writer) error {
		if backup := removal.Verdict.Backup; backup != "" {
			e.say("what was configured is backed up on the host: %s", backup)
		}
		for _, item := range removal.Verdict.AfterReboot {
			e.say("after the next boot: %s", item)
		}
		for _, item := range append(removal.Verdict.Lost, removal.Verdict.Changed...) {
			e.warn("not Kubernetes', and different from before: %s", item)
		}
		_, err := fmt.Fprintf(w, "node/%s removed, its host is %s\n", name, removal.Verdict.State)
		return err
	})
}

// absent is the answer for a node that does not exist: it may be the end of a
// removal that was interrupted between the Node and the record.
func (e *env) absent(ctx context.Context, cluster runner.Cluster, name string, f removeFlags, cause error) error {
	finished, err := flow.FinishRecord(ctx, cluster, name)
	if err != nil {
		return nothingChanged(err)
	}
	if finished {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s removed\n", name)
		return err
	}
	if f.missingOK {
		e.say("node %s does not exist: nothing to do", name)
		return nil
	}
	return plan.Refuse(cause, "see which there are: kubectl get nodes; --ignore-not-found makes this no error")
}

// rehearsal is the machine-readable result of a dry run.
type rehearsal struct {
	Node  string         `json:"node"`
	Steps []string       `json:"steps"`
	Pods  drain.Decision `json:"drain"`
	// Host is present for --dry-run=server only.
	Host *clean.Removal `json:"host,omitempty"`
}

func (e *env) rehearseRemove(ctx context.Context, removal *flow.Removal, mode dryRun, f removeFlags) error {
	result := rehearsal{Node: removal.Node.Name, Steps: removal.Plan().IDs(), Pods: removal.Drain}
	if mode == dryRunServer {
		progress := e.progress()
		host, err := removal.Rehearse(ctx, progress)
		progress.close()
		if err != nil {
			return nothingChanged(err)
		}
		result.Host = &host
	}
	if f.output == "name" {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s\n", result.Node)
		return err
	}
	return e.print(f.output, result, func(w io.Writer) error {
		e.showPlan(removal.Plan(), removal.Drain.Warnings())
		if result.Host != nil {
			rows := [][]string{{"GOES", "NAME", "IN", "OWNER"}}
			for _, item := range result.Host.Objects {
				rows = append(rows, []string{string(item.Kind), item.Name, item.In, string(item.Owner)})
			}
			if err := table(w, rows); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "node/%s would be removed (dry run: nothing was changed)\n", result.Node)
		return err
	})
}

// showPlan writes what will be done, and what will not, to stderr.
func (e *env) showPlan(p plan.Plan, warnings []string) {
	e.say("%s:", p.Title)
	for i, s := range p.Steps {
		e.say("  %d. %s", i+1, s.Title)
	}
	for _, note := range p.Notes {
		e.say("  · %s", note)
	}
	for _, warning := range warnings {
		e.warn("%s", warning)
	}
}
