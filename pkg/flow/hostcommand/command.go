// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/wave"
)

// Work is one command on the hosts of some nodes.
type Work struct {
	// Nodes are in the order in which they go.
	Nodes []*corev1.Node
	// Args are the program and its arguments; no shell reads them.
	Args []string
	// Limit ends the command on a host.
	Limit time.Duration
	// AtOnce is how many nodes are in a wave, at least one. MaxFailures is how many may fail
	// before no further wave is begun; zero means any number.
	AtOnce, MaxFailures int
	// NoDrain leaves the pods where they are, and cordons nothing.
	NoDrain bool
	Drain   drain.Options
	// By is who is named on a Node that is cordoned.
	By string
	// Done is told of each host that has run the command, from several goroutines; nil for
	// nothing.
	Done func(Result)

	cluster  runner.Cluster
	watch    plan.Observer
	ask      func(ctx context.Context, node *corev1.Node, order wire.CommandOrder, report plan.Report) (wire.CommandOutcome, error)
	mu       sync.Mutex
	cordoned map[string]bool
	// notes are those of the cordons as they were when the nodes were drained.
	notes   map[string]string
	results map[string]Result
}

// State is what has become of a node.
type State string

// The states.
const (
	// Succeeded: the command has ended with 0, and the node is as it was.
	Succeeded State = "succeeded"
	// Failed: the command has ended with another code, or could not be run to its end.
	Failed State = "failed"
	// NotBegun: its turn did not come.
	NotBegun State = "not begun"
)

// Result is what became of one node.
type Result struct {
	Node  string `json:"node"`
	State State  `json:"state"`
	// ExitCode is the command's; null where it was not run to its end. Signal is what ended
	// it, and TimedOut says that it was ended at its limit.
	ExitCode *int   `json:"exitCode"`
	Signal   string `json:"signal,omitempty"`
	TimedOut bool   `json:"timedOut,omitempty"`
	// Output is what it printed on both streams, and Cut how many bytes of its middle are
	// left out.
	Output string `json:"output,omitempty"`
	Cut    int64  `json:"cut,omitempty"`
	// Cordoned says that the node was cordoned here, and is still.
	Cordoned bool    `json:"cordoned,omitempty"`
	Error    string  `json:"error,omitempty"`
	Hint     string  `json:"hint,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
}

// Check refuses nodes on which no command can be run: of another system, or with a kubelet
// that does not answer. It is pure.
func Check(nodes []*corev1.Node) error {
	var errs []error
	for _, n := range nodes {
		switch os := n.Status.NodeInfo.OperatingSystem; {
		case os != "" && os != "linux":
			errs = append(errs, fmt.Errorf("node %s runs %s: only Linux hosts can be entered", n.Name, os))
		case !kubenode.KubeletAnswers(n):
			errs = append(errs, fmt.Errorf("node %s: its kubelet does not answer", n.Name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return plan.Refuse(err, "leave it out, or bring it back first; see: kubectl get nodes")
	}
	return nil
}

// Waves are the names of the nodes of each wave.
func (w *Work) Waves() [][]string { return wave.Waves(w.names(), w.AtOnce) }

func (w *Work) names() (out []string) {
	for _, n := range w.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// Run runs the command and returns what became of each node, in their order. The error is of
// what keeps all of it from being begun.
func (w *Work) Run(ctx context.Context, cluster runner.Cluster, watch plan.Observer) ([]Result, error) {
	needs := access.Carrier(cluster.RunNamespace())
	if !w.NoDrain {
		needs = append(needs, access.Drain()...)
	}
	if err := errors.Join(Check(w.Nodes), access.Require(ctx, cluster.Client, needs)); err != nil {
		return nil, err
	}
	w.cluster, w.watch = cluster, watch
	w.ask = w.askHost
	return w.run(ctx), nil
}

func (w *Work) run(ctx context.Context) []Result {
	w.cordoned, w.notes, w.results = map[string]bool{}, map[string]string{}, map[string]Result{}
	stages := []wave.Stage{{All: w.drain}, {Each: w.command}, {Each: w.giveBack}}
	if w.NoDrain {
		stages = stages[1:2]
	}
	rows := wave.Rollout{MaxFailures: w.MaxFailures, Groups: []wave.Group{{Nodes: w.names(), Limit: w.AtOnce, Stages: stages}}}.Run(ctx)
	var out []Result
	for _, row := range rows {
		out = append(out, w.result(row))
	}
	return out
}

// result is a row of the table as the machine-readable result has it.
func (w *Work) result(row wave.Outcome) Result {
	r := w.results[row.Node]
	r.Node, r.Seconds, r.Cordoned = row.Node, row.Took.Seconds(), w.cordoned[row.Node]
	switch {
	case row.State == wave.NotBegun:
		r.State = NotBegun
	case row.Err != nil:
		r.State, r.Error, r.Hint = Failed, row.Err.Error(), plan.HintOf(row.Err)
	default:
		r.State = Succeeded
	}
	if r.Cordoned {
		r.Hint = strings.TrimPrefix(r.Hint+"\nthe node is still cordoned; to uncordon it: "+
			text.Command("kubectl", "lifecycle", "uncordon", row.Node), "\n")
	}
	return r
}

// command runs the command on one host.
func (w *Work) command(ctx context.Context, name string) error {
	node := w.Nodes[slices.IndexFunc(w.Nodes, func(n *corev1.Node) bool { return n.Name == name })]
	var out wire.CommandOutcome
	step := plan.Step{ID: "command/" + name, Title: "Run the command on " + name}
	step.Do = func(ctx context.Context, report plan.Report) (err error) {
		if !w.NoDrain {
			now, err := kubenode.Get(ctx, w.cluster.Client, name)
			if err == nil {
				err = mayRun(now)
			}
			if err != nil {
				return err
			}
		}
		out, err = w.ask(ctx, node, wire.CommandOrder{Args: w.Args, Limit: w.Limit}, report)
		if err == nil {
			err = failure(name, out, w.Limit)
		}
		return err
	}
	_, err := plan.Plan{Title: "Run a command", Steps: []plan.Step{step}}.Run(ctx, w.watch)
	r := Result{Node: name, Signal: out.Signal, TimedOut: out.TimedOut,
		Output: out.Output, Cut: out.Cut}
	if r.State = Succeeded; err != nil {
		r.State = Failed
	}
	if out.ID != "" && out.Error == "" && !out.Unknown {
		r.ExitCode = &out.Code
	}
	w.mu.Lock()
	w.results[name] = r
	w.mu.Unlock()
	if w.Done != nil {
		w.Done(r)
	}
	return err
}

// failure is the error of a command that did not succeed; nil for one that did. It is pure.
func failure(node string, out wire.CommandOutcome, limit time.Duration) error {
	onHost := "look at the host, then run the command again there; nodes that are done need not be named"
	switch {
	case out.Unknown:
		return plan.As(plan.Broken, plan.Hint(fmt.Errorf("node %s: what became of the command is not known: its unit is gone", node),
			"was the host started again? See on it: journalctl -b -1 -u kubectl-lifecycle-command"))
	case out.Error != "":
		return plan.Hint(fmt.Errorf("node %s: the command could not be run: %s", node, text.Brief(out.Error)),
			"no shell reads it: for one, run: sh -c '...'")
	case out.TimedOut:
		return plan.As(plan.TimedOut, plan.Hint(fmt.Errorf("node %s: the command did not end within %s, and was ended", node, limit),
			"allow it more time: --command-timeout"))
	case out.Signal != "":
		return plan.Hint(fmt.Errorf("node %s: the command was ended by %s", node, text.Line(out.Signal)), "%s", onHost)
	case out.Code != 0:
		return plan.Hint(fmt.Errorf("node %s: the command ended with exit code %d", node, out.Code), "%s", onHost)
	}
	return nil
}
