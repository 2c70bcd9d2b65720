// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const drainLong = `Make a node unschedulable and have its pods leave, as kubectl drain does, with the
same flags and meanings. What stands in the way is found before anything is
changed, and a cordon that fails stops it. A pod is evicted when its
PodDisruptionBudget opens; what is waited for is said, with the budget's numbers
and the pod's owner. Pods that come back to the cordoned node are named.

--timeout, Ctrl-C and errors leave the node cordoned; the same command again
goes on. drain never asks.`

// drainFlags are the flags of drain.
type drainFlags struct {
	drain.Options
	output, dryRun string
}

func newDrainCommand(e *env) *cobra.Command {
	f := drainFlags{Options: drain.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Cordon a node and have its pods leave",
		Long:  drainLong,
		Example: "  kubectl lifecycle drain worker-3 --ignore-daemonsets\n" +
			"  kubectl lifecycle drain worker-3 --ignore-daemonsets --dry-run\n" +
			"  kubectl lifecycle drain worker-3 --ignore-daemonsets --delete-emptydir-data --timeout 10m",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return e.drain(cmd.Context(), args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *drainFlags) add(flags *pflag.FlagSet) {
	addOutput(flags, &f.output, "table, name")
	addDryRun(flags, &f.dryRun, "none, client (show what becomes of each pod) or server (also ask the server once per pod, changing nothing)")
	flags.BoolVar(&f.Force, "force", f.Force, "Evict pods, too, that no controller will create again")
	flags.BoolVar(&f.IgnoreDaemonSets, "ignore-daemonsets", f.IgnoreDaemonSets, "Leave the pods of DaemonSets where they are")
	flags.BoolVar(&f.DeleteEmptyDirData, "delete-emptydir-data", f.DeleteEmptyDirData, "Evict pods, too, that have data in an emptyDir, which is lost")
	flags.BoolVar(&f.DisableEviction, "disable-eviction", f.DisableEviction, "Delete instead of evicting: no PodDisruptionBudget is heeded")
	flags.IntVar(&f.GracePeriodSeconds, "grace-period", f.GracePeriodSeconds, "Seconds each pod gets to stop; negative means its own")
	flags.DurationVar(&f.Timeout, "timeout", f.Timeout, "How long to wait before giving up; 0 means no limit")
	flags.StringVar(&f.PodSelector, "pod-selector", f.PodSelector, "Drain only pods with these labels")
	flags.IntVar(&f.SkipWaitForDeleteTimeoutSeconds, "skip-wait-for-delete-timeout", f.SkipWaitForDeleteTimeoutSeconds,
		"Do not wait for pods that should have been gone for more than this many seconds; 0 waits for all")
	flags.Int64Var(&f.ChunkSize, "chunk-size", f.ChunkSize, "Objects per page of a list; 0 means one page")
}

// drained is the machine-readable result.
type drained struct {
	// Cordoned is true if the node was not cordoned before.
	Cordoned bool `json:"cordoned"`
	drain.Outcome
}

func (e *env) drain(ctx context.Context, arg string, f drainFlags) error {
	mode, err := parseDryRun(f.dryRun)
	name, nameErr := nodeName(arg)
	if err := errors.Join(err, nameErr, checkOutput(f.output, "name"), f.Validate()); err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	snapshot, err := drain.Survey(ctx, client, name, f.Options)
	if err != nil {
		return nothingChanged(err)
	}
	decision := drain.Decide(snapshot, f.Options)
	if mode != dryRunNone {
		return e.rehearseDrain(ctx, client, decision, f)
	}
	if err := decision.Refusal(); err != nil {
		return err
	}
	if decision.Cordoned && len(decision.ToEvict()) == 0 {
		return e.tellDrained(drained{Outcome: drain.Outcome{Node: name, Skipped: decision.Skipped()}}, f.output, " (nothing to do)")
	}
	for _, warning := range decision.Warnings() {
		e.warn("%s", warning)
	}
	result, err := e.runDrain(ctx, client, decision, f)
	if err != nil {
		if f.output != "" && f.output != "table" && f.output != "name" {
			err = errors.Join(err, e.tellDrained(result, f.output, ""))
		}
		return err
	}
	return e.tellDrained(result, f.output, "")
}

// runDrain cordons and evicts, and warns of what a person would not expect.
func (e *env) runDrain(ctx context.Context, client kubernetes.Interface, decision drain.Decision, f drainFlags) (drained, error) {
	name := decision.Node
	result := drained{Outcome: drain.Outcome{Node: name}}
	p := plan.Plan{Title: "Drain node " + name, Steps: []plan.Step{
		{ID: "cordon", Title: "Cordon " + name, Do: func(ctx context.Context, _ plan.Report) (err error) {
			result.Cordoned, err = drain.Cordon(ctx, client, name, true)
			return nothingChanged(err)
		}, Needed: func(context.Context) (bool, error) { return !decision.Cordoned, nil }},
		{ID: "drain", Title: fmt.Sprintf("Have %s leave %s", countPods(len(decision.ToEvict())), name), Do: func(ctx context.Context, report plan.Report) (err error) {
			if result.Cordoned {
				if decision, err = drain.Again(ctx, client, name, f.Options); err != nil {
					return stillCordoned(err, name)
				}
			}
			result.Outcome, err = drain.Evict(ctx, client, decision, f.Options, report)
			return stillCordoned(err, name)
		}},
	}}
	progress := e.progress()
	_, err := p.Run(ctx, progress)
	progress.close()
	for _, back := range result.Returned {
		e.warn("%s of %s came back to the cordoned node: %s", back.Pod, back.Owners, back.Why)
	}
	for _, pod := range result.Arrived {
		e.warn("%s came to the node meanwhile and was left alone; the same command again takes it in", pod)
	}
	for _, v := range result.Skipped {
		if v.Reason == drain.ReasonOverdue {
			e.warn("%s was not waited for: %s", v.Pod, v.Message)
		}
	}
	return result, err
}

// stillCordoned adds to an error's way out the way back.
func stillCordoned(err error, name string) error {
	back := "node " + name + " stays cordoned; to take that back: kubectl lifecycle uncordon " + name
	if hint := plan.HintOf(err); hint != "" {
		back = hint + "\n" + back
	}
	return plan.Hint(err, "%s", back)
}

func (e *env) tellDrained(result drained, output, remark string) error {
	if output == "name" {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s\n", result.Node)
		return err
	}
	return e.print(output, result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "node/%s drained%s\n", result.Node, remark)
		return err
	})
}

// drainRehearsal is the machine-readable result of a dry run.
type drainRehearsal struct {
	drain.Decision
	// Answers are the server's, for --dry-run=server only.
	Answers []drain.Rehearsal `json:"answers,omitempty"`
}

func (e *env) rehearseDrain(ctx context.Context, client kubernetes.Interface, d drain.Decision, f drainFlags) error {
	result := drainRehearsal{Decision: d}
	if f.dryRun == string(dryRunServer) && d.Refusal() == nil {
		if _, err := drain.TryCordon(ctx, client, d.Node, true); err != nil {
			return nothingChanged(err)
		}
		answers, err := drain.Rehearse(ctx, client, d, f.Options)
		if err != nil {
			return nothingChanged(err)
		}
		result.Answers = answers
	}
	var errs []error
	if f.output == "name" {
		for _, v := range d.ToEvict() {
			_, err := fmt.Fprintf(e.streams.Out, "pod/%s\n", v.Name)
			errs = append(errs, err)
		}
	} else {
		errs = append(errs, e.print(f.output, result, func(w io.Writer) error { return e.showDecision(w, result) }))
	}
	return errors.Join(append(errs, d.Refusal(), drain.RefusedNow(result.Answers))...)
}

// showDecision is the table of a dry run.
func (e *env) showDecision(w io.Writer, result drainRehearsal) error {
	for _, warning := range result.Warnings() {
		e.warn("%s", warning)
	}
	if err := table(w, result.Table(result.Answers)); err != nil {
		return err
	}
	if len(result.Blocked()) > 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "node/%s would be drained of %s (dry run: nothing was changed)\n", result.Node, countPods(len(result.ToEvict())))
	return err
}

func countPods(n int) string {
	if n == 1 {
		return "1 pod"
	}
	return fmt.Sprintf("%d pods", n)
}

// schedulingFlags are what cordon and uncordon are given.
type schedulingFlags struct {
	verb           string
	unschedulable  bool
	output, dryRun string
}

func newCordonCommand(e *env) *cobra.Command {
	return newSchedulingCommand(e, "Make a node unschedulable: no new pod is placed on it", schedulingFlags{verb: "cordon", unschedulable: true})
}

func newUncordonCommand(e *env) *cobra.Command {
	return newSchedulingCommand(e, "Make a node schedulable again", schedulingFlags{verb: "uncordon"})
}

func newSchedulingCommand(e *env, short string, f schedulingFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     f.verb + " NODE",
		Short:   short,
		Long:    short + ".\n\nUnlike kubectl " + f.verb + ", it fails if the server refuses the change or something takes it back.",
		Example: "  kubectl lifecycle " + f.verb + " worker-3",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.setScheduling(cmd.Context(), args[0], f) },
	}
	addOutput(cmd.Flags(), &f.output, "table, name")
	addDryRun(cmd.Flags(), &f.dryRun, "none, client (say what would be done) or server (also ask the server whether it would accept it)")
	return cmd
}

// scheduling is the machine-readable result of cordon and uncordon; Changed is
// false if the node was like that already.
type scheduling struct {
	Node          string `json:"node"`
	Unschedulable bool   `json:"unschedulable"`
	Changed       bool   `json:"changed"`
}

func (e *env) setScheduling(ctx context.Context, arg string, f schedulingFlags) error {
	mode, err := parseDryRun(f.dryRun)
	name, nameErr := nodeName(arg)
	if err := errors.Join(err, nameErr, checkOutput(f.output, "name")); err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	set, remark := drain.Cordon, " (dry run)"
	switch mode {
	case dryRunNone:
		remark = ""
	case dryRunClient:
		set = drain.WouldCordon
	case dryRunServer:
		set = drain.TryCordon
	}
	result := scheduling{Node: name, Unschedulable: f.unschedulable}
	if result.Changed, err = set(ctx, client, name, f.unschedulable); err != nil {
		return nothingChanged(err)
	}
	if f.output == "name" {
		_, err := fmt.Fprintf(e.streams.Out, "node/%s\n", name)
		return err
	}
	return e.print(f.output, result, func(w io.Writer) error {
		already := map[bool]string{false: "already "}[result.Changed]
		_, err := fmt.Fprintf(w, "node/%s %s%sed%s\n", name, already, f.verb, remark)
		return err
	})
}

// nodeName takes NAME or node/NAME, as kubectl does.
func nodeName(arg string) (string, error) {
	kind, name, slash := strings.Cut(arg, "/")
	if !slash {
		kind, name = "node", arg
	}
	if name == "" || kind != "node" && kind != "nodes" && kind != "no" {
		return "", plan.As(plan.Misused, fmt.Errorf("%q is not the name of a node", arg))
	}
	return name, nil
}
