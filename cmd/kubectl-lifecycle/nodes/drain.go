// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const drainLong = `Make nodes unschedulable and evict their pods, with the flags and meanings of
kubectl drain. Blockers are found before anything is changed, and a cordon that
fails stops the drain. A pod is evicted when its PodDisruptionBudget opens; the
progress names what is waited for, with the budget's numbers and the pod's owner.
Pods that come back to the cordoned node are named.

--timeout, Ctrl-C and errors leave the node cordoned; run the same command again
to continue. drain never asks for confirmation.`

// drainFlags are the flags of drain.
type drainFlags struct {
	drain.Options
	output, dryRun string
	selector       string
	reason         string
	waitForVolumes bool
	surge          string
	abort          bool
}

func newDrainCommand(c commands) *cobra.Command {
	f := drainFlags{Options: drain.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "drain NODE...",
		Short: "Cordon nodes and evict their pods",
		Long:  drainLong,
		Example: "  kubectl lifecycle drain worker-3 --ignore-daemonsets\n" +
			"  kubectl lifecycle drain worker-3 --ignore-daemonsets --plan\n" +
			"  kubectl lifecycle drain worker-3 --ignore-daemonsets --dry-run\n" +
			"  kubectl lifecycle drain -l rack=7 --ignore-daemonsets --timeout 10m",
		RunE: func(cmd *cobra.Command, args []string) error { return c.drain(cmd.Context(), args, f) },
	}
	f.add(cmd.Flags())
	c.addPlan(cmd, &f)
	return cmd
}

func (f *drainFlags) add(flags *pflag.FlagSet) {
	env.AddOutput(flags, &f.output, "table, name, jsonl (an object for each event as it happens, the result last)")
	env.AddDryRun(flags, &f.dryRun,
		"none, client (show what becomes of each pod) or server (also ask the server once per pod, changing nothing)")
	flags.BoolVar(&f.Force, "force", f.Force, "Also evict pods that no controller recreates")
	flags.BoolVar(&f.IgnoreDaemonSets, "ignore-daemonsets", f.IgnoreDaemonSets, "Leave the pods of DaemonSets where they are")
	flags.BoolVar(&f.DeleteEmptyDirData, "delete-emptydir-data", f.DeleteEmptyDirData,
		"Also evict pods that have data in an emptyDir, which is lost")
	flags.BoolVar(&f.DisableEviction, "disable-eviction", f.DisableEviction, "Delete instead of evicting, ignoring PodDisruptionBudgets")
	flags.IntVar(&f.GracePeriodSeconds, "grace-period", f.GracePeriodSeconds, "Seconds each pod gets to stop; negative means its own")
	flags.DurationVar(&f.Timeout, "timeout", f.Timeout, "How long to wait before giving up; 0 means no limit")
	flags.StringVar(&f.PodSelector, "pod-selector", f.PodSelector, "Drain only pods with these labels")
	flags.Var((*secondsValue)(&f.SkipWaitForDeleteTimeoutSeconds), "skip-wait-for-delete-timeout",
		"Do not wait for pods that should have been gone for more than this many seconds; 0 waits for all")
	flags.StringVarP(&f.selector, "selector", "l", "", "Nodes with these labels")
	flags.StringVar(&f.reason, "reason", "", "Why the node is cordoned, for its cordon note")
	flags.DurationVar(&f.PodTimeout, "pod-timeout", f.PodTimeout,
		"How long one pod may take from its first turn until it is gone; the others go on. 0 means no limit")
	flags.StringSliceVar(&f.Order, "order", f.Order,
		"Label selectors: pods that match the first leave first, then those of the next, and the rest last")
	flags.StringVar(&f.MaxParallel, "max-parallel", f.MaxParallel,
		"How many nodes are drained at the same time: a number, or a percentage of them")
	flags.BoolVar(&f.OneZone, "one-zone", f.OneZone, "Drain only nodes of the same zone at the same time")
	flags.BoolVar(&f.WaitForReplacement, "wait-for-replacement", f.WaitForReplacement,
		"Take the next pod of a workload only when those before are replaced and Ready")
	flags.StringVar(&f.surge, "surge", string(surge.Off),
		"What to do for Deployments whose budget never lets a pod go: auto (one more replica where that helps, else a rolling restart), "+
			"restart or off; reverted at the end")
	flags.BoolVar(&f.abort, "abort", false,
		"Abort a drain instead: uncordon the nodes that it cordoned, and revert what it changed in Deployments")
	flags.BoolVar(&f.waitForVolumes, "wait-for-volumes", false,
		"Also wait until no volume is attached to the nodes any more, except those of pods that stay")
	flags.Int64Var(&f.ChunkSize, "chunk-size", f.ChunkSize, "Objects per page of a list; 0 means one page")
}

func (c commands) drain(ctx context.Context, args []string, f drainFlags) error {
	f.RunnerNamespace, f.Self = *c.Flags.Namespace, env.OwnPod()
	mode, err := env.ParseDryRun(f.dryRun)
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr, view.CheckFormat(f.output, "name", "jsonl"), f.Validate(),
		surge.Mode(f.surge).Validate()); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	if f.abort {
		return c.abortDrain(ctx, client, target, mode)
	}
	snapshot, err := drain.Survey(ctx, client, target, f.Options)
	if err != nil {
		return env.NothingChanged(err)
	}
	decision := drain.Decide(snapshot, f.Options)
	if mode != env.DryRunNone {
		return c.rehearseDrain(ctx, client, decision, f)
	}
	if err := decision.Refusal(); err != nil {
		return err
	}
	run := c.newDraining(client, f, decision.Names())
	if decision.NothingToDo() && !f.waitForVolumes {
		// One that was killed may have left something.
		return errors.Join(run.revert(ctx), c.tellDrained(drained{Outcome: evict.NothingToDo(decision)}, f.output, " (nothing to do)"))
	}
	for _, warning := range decision.Warnings() {
		c.Warn("%s", warning)
	}
	if err := run.take(ctx, snapshot, decision); err != nil {
		return env.NothingChanged(err)
	}
	result, err := run.do(ctx)
	if err != nil {
		if f.output != "" && f.output != "table" && f.output != "name" {
			err = errors.Join(err, c.tellDrained(result, f.output, ""))
		}
		return err
	}
	return c.tellDrained(result, f.output, "")
}

// drainRehearsal is the machine-readable result of a dry run.
type drainRehearsal struct {
	drain.Decision
	// Answers are the server's, for --dry-run=server only.
	Answers []evict.Rehearsal `json:"answers,omitempty"`
	// Admission are the policies and webhooks that may deny the drain, for
	// --dry-run=server only.
	Admission []string `json:"admission,omitempty"`
}

func (c commands) rehearseDrain(ctx context.Context, client kubernetes.Interface, d drain.Decision, f drainFlags) error {
	result := drainRehearsal{Decision: d}
	if f.dryRun == string(env.DryRunServer) && d.Refusal() == nil {
		for _, node := range d.ToCordon() {
			try := drain.Scheduling{Unschedulable: true, DryRun: true, Note: drain.Note{By: env.Who(), Reason: f.reason}}
			if _, err := try.Apply(ctx, client, node.Name); err != nil {
				return env.NothingChanged(err)
			}
		}
		result.Admission = drain.ReadAdmission(ctx, client).Warnings(d)
		answers, err := evict.Rehearse(ctx, client, d, f.Options)
		if err != nil {
			return env.NothingChanged(err)
		}
		result.Answers = answers
	}
	var err error
	if f.output == "name" {
		var pods []string
		for _, v := range d.ToEvict() {
			pods = append(pods, v.Name)
		}
		err = c.Names("pod", pods...)
	} else {
		err = c.Print(f.output, view.Of("DrainDecision", result), func(s *view.Sheet) error { return c.showDecision(s, result) })
	}
	return errors.Join(err, d.Refusal(), evict.RefusedNow(result.Answers))
}

// showDecision is the table of a dry run.
func (c commands) showDecision(s *view.Sheet, result drainRehearsal) error {
	for _, warning := range append(result.Warnings(), result.Admission...) {
		c.Warn("%s", warning)
	}
	if err := s.Table(evict.Table(result.Decision, result.Answers)); err != nil || len(result.Blocked()) > 0 {
		return err
	}
	return s.Line("%s would be drained of %s (dry run: nothing was changed)", result.Title(), view.CountPods(len(result.ToEvict())))
}

// secondsValue is a flag of whole seconds, which takes a duration, too.
type secondsValue int

func (v *secondsValue) String() string { return strconv.Itoa(int(*v)) }

// Type is what the help calls the value.
func (v *secondsValue) Type() string { return "seconds" }

// Set reads 30 or 30s.
func (v *secondsValue) Set(text string) error {
	if n, err := strconv.Atoi(text); err == nil {
		*v = secondsValue(n)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d%time.Second != 0 {
		return fmt.Errorf("must be whole seconds (30 or 30s), got %q", text)
	}
	*v = secondsValue(d / time.Second)
	return nil
}

// addPlan adds --plan to drain, which then only reads.
func (c commands) addPlan(cmd *cobra.Command, f *drainFlags) {
	var only bool
	cmd.Flags().BoolVar(&only, "plan", false,
		"Only forecast the drain: waves, what blocks and what unblocks it, room, losses, time. Exit code 3 if it would not end")
	do := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if only {
			return c.planDrain(cmd, args, *f)
		}
		return do(cmd, args)
	}
}

// planDrain reads, and says how the drain would go.
func (c commands) planDrain(cmd *cobra.Command, args []string, f drainFlags) error {
	f.RunnerNamespace, f.Self = *c.Flags.Namespace, env.OwnPod()
	_, err := env.ParseDryRun(f.dryRun)
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(err, targetErr, view.CheckFormat(f.output, "name"), f.Validate(), surge.Mode(f.surge).Validate()); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	foreseen, err := flow.Forecast(cmd.Context(), client, target, flow.Drain{Options: f.Options, Surge: surge.Mode(f.surge)},
		commandLine(cmd, args))
	if err != nil {
		return env.NothingChanged(err)
	}
	if f.output == "name" {
		var pods []string
		for _, p := range foreseen.Pods {
			if p.Wave > 0 {
				pods = append(pods, p.Name)
			}
		}
		err = c.Names("pod", pods...)
	} else {
		err = c.Print(f.output, view.Of("DrainForecast", foreseen), func(s *view.Sheet) error { return view.Forecast(s, foreseen) })
	}
	return errors.Join(err, foreseen.Err())
}

// commandLine is the command as it was typed, to be run, without what only says
// how to show it, and without secrets.
func commandLine(cmd *cobra.Command, args []string) string {
	words := append([]string{"kubectl", "lifecycle", cmd.Name()}, args...)
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if slices.Contains([]string{"plan", "dry-run", "output", "color", "v", "token", "password"}, flag.Name) {
			return
		}
		value := flag.Value.String()
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			value = strings.Join(list.GetSlice(), ",")
		}
		switch {
		case flag.Value.Type() == "bool" && value == "true":
			words = append(words, "--"+flag.Name)
		case flag.Value.Type() == "bool":
			words = append(words, "--"+flag.Name+"="+value)
		default:
			words = append(words, "--"+flag.Name, value)
		}
	})
	return text.Command(words...)
}
