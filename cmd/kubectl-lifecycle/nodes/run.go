// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostcommand"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const runLong = `Run a command as root on the hosts of nodes, drained, wave after wave: the nodes of a
wave are drained under one account of the budgets, the command runs on their hosts side
by side, and a node whose command succeeded is uncordoned once it is Ready. DaemonSets'
pods stay. --no-drain only runs the command.

What comes after -- is the program and its arguments. No shell reads them; for one, run
sh -c '...'. It runs as a unit of systemd's with root's environment, so that it goes on
while it restarts the kubelet or the container runtime, or when the connection ends. All
that it has started ends with it.

Where it fails, the node stays cordoned; after --max-failures of them (1) no further wave
is begun. The output of each host goes to stdout, after the node's name if there are
several. Exit code 1: the command failed on a node.`

// runFlags are the flags of run.
type runFlags struct {
	drain.Options
	env.RunnerFlags
	output, dryRun string
	selector       string
	noDrain        bool
	limit          time.Duration
	maxFailures    int
}

func newRunCommand(c commands) *cobra.Command {
	f := runFlags{Options: drain.DefaultOptions()}
	f.IgnoreDaemonSets = true
	cmd := &cobra.Command{
		Use:   "run NODE... -- COMMAND [ARG...]",
		Short: "Run a command on the hosts of drained nodes, in waves",
		Long:  runLong,
		Example: "  kubectl lifecycle run worker-3 -- apt-get -y upgrade\n" +
			"  kubectl lifecycle run -l rack=7 --max-parallel 25% -- sh -c 'df -h / | tail -1'\n" +
			"  kubectl lifecycle run worker-3 worker-4 --no-drain -- uptime",
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash == len(args) {
				return env.Misused("say which command after --: run NODE... -- COMMAND [ARG...]")
			}
			return c.run(cmd.Context(), args[:dash], args[dash:], f)
		},
	}
	flags := cmd.Flags()
	env.AddOutput(flags, &f.output, "table, name")
	env.AddDryRun(flags, &f.dryRun, "none, client or server: say on which nodes it would run, in which waves, and which pods would leave")
	flags.StringVarP(&f.selector, "selector", "l", "", "Nodes with these labels")
	flags.BoolVar(&f.noDrain, "no-drain", false, "Leave the pods where they are, and cordon nothing")
	flags.DurationVar(&f.limit, "command-timeout", 10*time.Minute, "How long the command may take on a host")
	flags.IntVar(&f.maxFailures, "max-failures", 1, "After how many failed nodes no further wave is begun; 0 means never")
	flags.StringVar(&f.MaxParallel, "max-parallel", f.MaxParallel, "How many nodes are in a wave: a number, or a percentage of them")
	flags.BoolVar(&f.Force, "force", f.Force, "Also evict pods that no controller recreates")
	flags.BoolVar(&f.DeleteEmptyDirData, "delete-emptydir-data", f.DeleteEmptyDirData,
		"Also evict pods that have data in an emptyDir, which is lost")
	flags.DurationVar(&f.Timeout, "timeout", f.Timeout, "How long the drain of a wave may take; 0 means no limit")
	f.Add(flags)
	return cmd
}

func (f runFlags) validate() error {
	_, err := env.ParseDryRun(f.dryRun)
	if f.limit <= 0 {
		err = errors.Join(err, env.Misused(fmt.Sprintf("--command-timeout must be positive, not %s", f.limit)))
	}
	if f.maxFailures < 0 {
		err = errors.Join(err, env.Misused(fmt.Sprintf("--max-failures must not be negative, not %d", f.maxFailures)))
	}
	return errors.Join(err, view.CheckFormat(f.output, "name"), f.Validate())
}

func (c commands) run(ctx context.Context, args, command []string, f runFlags) error {
	f.RunnerNamespace, f.Self = *c.Flags.Namespace, env.OwnPod()
	target, targetErr := targetOf(args, f.selector)
	if err := errors.Join(f.validate(), targetErr); err != nil {
		return err
	}
	cluster, err := c.Cluster(f.RunnerFlags)
	if err != nil {
		return err
	}
	w, decision, err := c.prepareRun(ctx, cluster, target, f)
	if err != nil {
		return env.NothingChanged(err)
	}
	w.Args = command
	if err := c.showRun(w, decision); err != nil {
		return env.NothingChanged(err)
	}
	if f.dryRun != "" && f.dryRun != string(env.DryRunNone) {
		return c.Print(f.output, view.Of("CommandPlan", runPlan{Command: command, Waves: w.Waves(), NoDrain: f.noDrain}),
			func(s *view.Sheet) error {
				return s.Line("the command would run on %s (dry run: nothing was changed)", text.Count(len(w.Nodes), "node"))
			})
	}
	return c.doRun(ctx, cluster, w, f)
}

// runPlan is the machine-readable result of a dry run.
type runPlan struct {
	Command []string   `json:"command"`
	Waves   [][]string `json:"waves"`
	NoDrain bool       `json:"noDrain,omitempty"`
}

// prepareRun reads the nodes and their pods, and refuses before anything is changed.
func (c commands) prepareRun(
	ctx context.Context, cluster runner.Cluster, target drain.Target, f runFlags,
) (*hostcommand.Work, drain.Decision, error) {
	var decision drain.Decision
	snapshot, err := drain.Survey(ctx, cluster.Client, target, f.Options)
	if err != nil {
		return nil, decision, err
	}
	decision = drain.Decide(snapshot, f.Options)
	all, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
	if err != nil {
		return nil, decision, err
	}
	w := &hostcommand.Work{Limit: f.limit, MaxFailures: f.maxFailures, NoDrain: f.noDrain, Drain: f.Options, By: env.Who()}
	byName := map[string]*corev1.Node{}
	for _, n := range kube.Pointers(all) {
		byName[n.Name] = n
	}
	for _, name := range decision.Names() {
		if n := byName[name]; n != nil {
			w.Nodes = append(w.Nodes, n)
		}
	}
	if w.AtOnce, err = f.Parallel(len(w.Nodes)); err != nil {
		return nil, decision, err
	}
	err = hostcommand.Check(w.Nodes)
	if !f.noDrain {
		err = errors.Join(err, decision.Refusal())
	}
	return w, decision, err
}

// showRun writes what will be done to stderr.
func (c commands) showRun(w *hostcommand.Work, decision drain.Decision) error {
	c.SayCommand(text.Command(w.Args...))
	leave := map[string]int{}
	if !w.NoDrain {
		for _, v := range decision.ToEvict() {
			leave[v.Node]++
		}
		for _, warning := range decision.Warnings() {
			c.Warn("%s", warning)
		}
	}
	rows := [][]string{{"WAVE", "NODE", "PODS THAT LEAVE"}}
	for i, nodes := range w.Waves() {
		for _, node := range nodes {
			rows = append(rows, []string{fmt.Sprint(i + 1), view.Name(node), text.Choose(w.NoDrain, "none: --no-drain", fmt.Sprint(leave[node]))})
		}
	}
	return c.SayTable(rows)
}

// doRun runs it and says what became of each node.
func (c commands) doRun(ctx context.Context, cluster runner.Cluster, w *hostcommand.Work, f runFlags) error {
	progress := c.Progress()
	if f.output == "" || f.output == "table" {
		var mu sync.Mutex
		sheet, prefix := c.Sheet(), len(w.Nodes) > 1
		w.Done = func(r hostcommand.Result) {
			mu.Lock()
			defer mu.Unlock()
			showOutput(sheet, r, prefix)
		}
	}
	results, err := w.Run(ctx, cluster, progress)
	progress.Close()
	if err != nil {
		return env.NothingChanged(err)
	}
	return errors.Join(c.tellRun(results, f.output), runFailed(ctx, results))
}

// showOutput writes what a command printed, line by line.
func showOutput(s *view.Sheet, r hostcommand.Result, prefix bool) {
	for line := range strings.Lines(r.Output) {
		line = strings.TrimRight(line, "\r\n")
		if prefix {
			_ = s.Line("%s: %s", view.Name(r.Node), line) // the sheet keeps the error
			continue
		}
		_ = s.Line("%s", line)
	}
}

// tellRun prints one table of what became of the nodes, to stderr where the output of one
// command is the result.
func (c commands) tellRun(results []hostcommand.Result, output string) error {
	if output == "name" {
		var names []string
		for _, r := range results {
			if r.State == hostcommand.Succeeded {
				names = append(names, r.Node)
			}
		}
		return c.Names("node", names...)
	}
	if output != "" && output != "table" {
		return c.Print(output, view.Of("CommandOutcome", results), nil)
	}
	rows := [][]string{{"NODE", "OUTCOME", "EXIT CODE", "TIME", "WHY"}}
	for _, r := range results {
		code := ""
		if r.ExitCode != nil {
			code = fmt.Sprint(*r.ExitCode)
		}
		why, _, _ := strings.Cut(r.Error, "\n")
		rows = append(rows, []string{view.Name(r.Node), string(r.State), code, view.Seconds(r.Seconds), why})
	}
	return c.SayTable(rows)
}

// runFailed is the error of a command that did not succeed on every node.
func runFailed(ctx context.Context, results []hostcommand.Result) error {
	left, class, hints := 0, plan.Broken, []string{}
	for _, r := range results {
		if r.State == hostcommand.Succeeded {
			continue
		}
		left++
		if r.Hint != "" && len(hints) < 5 {
			hints = append(hints, r.Node+": "+r.Hint)
		}
	}
	if left == 0 {
		return nil
	}
	if ctx.Err() != nil {
		class = plan.ClassOf(ctx.Err())
	}
	return plan.As(class, plan.Hint(fmt.Errorf("the command did not succeed on %d of %d nodes", left, len(results)), "%s",
		strings.Join(hints, "\n")))
}
