// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Outcome is what became of the pods of a decision. Every pod that had to leave
// is in exactly one of Evicted, Deleted, Gone, Left and Skipped; the lists are
// sorted by namespace and name.
type Outcome struct {
	// Nodes are in the order of the decision.
	Nodes []NodeOutcome `json:"nodes"`
	// Evicted and Deleted left because they were asked to here.
	Evicted []drain.Pod `json:"evicted,omitempty"`
	Deleted []drain.Pod `json:"deleted,omitempty"`
	// Gone left without: they were on their way, or another client was faster.
	Gone []drain.Pod `json:"gone,omitempty"`
	// Skipped stay, or are overdue and were not waited for.
	Skipped []drain.Verdict `json:"skipped,omitempty"`
	// Left should have gone and did not.
	Left []Left `json:"left,omitempty"`
	// Returned are new pods on the node whose controller is one whose pod just
	// left: they tolerate the cordon, and would do so again.
	Returned []Returned `json:"returned,omitempty"`
	// Arrived are other pods that were bound to the node after the survey;
	// another survey takes them in.
	Arrived []drain.Pod `json:"arrived,omitempty"`
	// Foreign are signs by which another tool says that it has gone to work on a node
	// since the drain began.
	Foreign []string `json:"foreign,omitempty"`
	// Requests is the number of evictions and deletions sent, Refusals how
	// many of them a budget refused.
	Requests int `json:"requests"`
	Refusals int `json:"refusals"`
	// Began is when the first pod was told to stop, by the server's clock as
	// far as it is known; Seconds is how long all took.
	Began   time.Time `json:"began,omitzero"`
	Seconds float64   `json:"seconds"`
	// Waits are the budgets that pods had to wait for, the longest wait first.
	Waits []Wait `json:"waits,omitempty"`
}

// Wait is the time for which a budget kept at least one pod that could have
// been asked for.
type Wait struct {
	Budget  string  `json:"budget"`
	Seconds float64 `json:"seconds"`
	// Waves are the seconds that the pods under it took which left together,
	// wave by wave in their order.
	Waves []float64 `json:"waves,omitempty"`
}

// NodeOutcome is what became of one node.
type NodeOutcome struct {
	Name string `json:"name"`
	// Drained is true if every pod that had to leave has left.
	Drained bool `json:"drained"`
	// Pods had to leave, Left of them are still there.
	Pods int `json:"pods"`
	Left int `json:"left"`
	// Seconds is the time from its turn until its last pod was gone; 0 if there
	// were none.
	Seconds float64 `json:"seconds"`
}

// Left is a pod that did not go.
type Left struct {
	drain.Pod
	Node   string       `json:"node"`
	Owners drain.Owners `json:"owners,omitempty"`
	Cause  drain.Cause  `json:"cause"`
	Why    string       `json:"why"`
	// Budgets are those that keep it.
	Budgets []pdb.Budget `json:"budgets,omitempty"`
	// WayOut is what a person can do, where the server denied it, or it does not end.
	WayOut string `json:"wayOut,omitempty"`
	denial drain.Denial
}

// Returned is a pod that came to a node that is being drained.
type Returned struct {
	drain.Pod
	Node   string       `json:"node"`
	Owners drain.Owners `json:"owners"`
	// Why says how it got past the cordon.
	Why string `json:"why"`
}

// NothingToDo is the outcome of a decision by which nothing has to leave.
func NothingToDo(d drain.Decision) Outcome {
	return newRun(nil, d, drain.DefaultOptions(), Listener{}).outcome()
}

// outcome sums up the run, and adds what never had to leave.
func (r *run) outcome() Outcome {
	out := r.out
	out.Skipped = r.decision.Skipped()
	if out.Began.IsZero() {
		out.Began = r.tell.began
	}
	out.Seconds, out.Waits = time.Since(r.tell.began).Seconds(), r.waits()
	for _, it := range r.items {
		switch it.phase {
		case left:
			r.file(&out, it)
		case unwaited:
			out.Skipped = append(out.Skipped, it.Overdue(r.opts))
		case waiting, asked, stopping, givenUp:
			out.Left = append(out.Left, r.left(it))
		}
	}
	r.newcomers(r.controllers(), &out)
	out.Foreign = r.decision.ForeignNow(r.nodes.All())
	for _, n := range r.decision.Nodes {
		node := NodeOutcome{Name: n.Name, Pods: len(r.turns.items[n.Name]), Seconds: r.turns.took(n.Name).Seconds()}
		for _, l := range out.Left {
			if l.Node == n.Name {
				node.Left++
			}
		}
		node.Drained = node.Left == 0
		out.Nodes = append(out.Nodes, node)
	}
	sort.SliceStable(out.Skipped, func(i, j int) bool { return out.Skipped[i].Before(out.Skipped[j].Pod) })
	return out
}

// file puts a pod that is gone under the way it went.
func (r *run) file(out *Outcome, it *item) {
	switch {
	case !it.ours:
		out.Gone = append(out.Gone, it.Pod)
	case it.Action == drain.ActionDelete:
		out.Deleted = append(out.Deleted, it.Pod)
	default:
		out.Evicted = append(out.Evicted, it.Pod)
	}
}

func (r *run) left(it *item) Left {
	l := Left{Pod: it.Pod, Node: it.Node, Owners: it.Owners, Cause: it.said.cause, Why: it.said.sentence(), Budgets: it.budgets,
		denial: it.said.denial, WayOut: it.said.denial.WayOut}
	switch {
	case it.phase == stopping, it.expired && it.said.cause == drain.CauseStopping:
		l.Cause, l.Why, l.Budgets = drain.CauseStopping, text.Choose(it.said.text == "", "stopping", it.said.text), nil
	case it.phase == asked && l.Cause == drain.CauseNotAsked:
		l.Why = "no answer yet"
	case l.Cause == drain.CauseBudget && len(l.Budgets) == 1:
		l.Why = "PodDisruptionBudget " + l.Budgets[0].Name + ": " + l.Budgets[0].Numbers()
	case l.Cause == drain.CauseSeveralBudgets && len(l.Budgets) > 1:
		l.Why += " (" + pdb.Names(l.Budgets) + ")"
	}
	if it.expired {
		l.Why += fmt.Sprintf("; given up after --pod-timeout %s", r.opts.PodTimeout)
	}
	return l
}

// verdict is the error of a run that ended with err.
func (r *run) verdict(err error, out Outcome) error {
	if len(out.Left) == 0 && r.ready() && (err == nil || r.workloads.whole()) {
		return nil
	}
	groups := group(out.Left)
	lines, hints := make([]string, 0, len(groups)), make([]string, 0, len(groups)+1)
	for _, g := range groups {
		lines = append(lines, g.text())
		hints = append(hints, g.hint())
	}
	for _, missing := range r.unreplaced() {
		lines = append(lines, "not replaced yet: "+missing)
		hints = append(hints, "a longer --timeout waits on; see what keeps the new pods: kubectl get events -A --field-selector type=Warning")
	}
	what := fmt.Sprintf("%d of %s left on %s:\n%s", len(out.Left), text.Count(len(r.items), "pod"), r.decision.Title(),
		strings.Join(text.Capped(lines), "\n"))
	hint := strings.Join(append(text.Capped(hints), "run the same command again to continue"), "\n")
	switch {
	case err == nil && r.anyExpired():
		return plan.As(plan.TimedOut, plan.Hint(errors.New(what), "%s", hint))
	case err == nil:
		return plan.As(plan.Broken, plan.Hint(errors.New(what), "%s", hint))
	case errors.Is(err, drain.ErrTimeout):
		return plan.As(plan.TimedOut, plan.Hint(fmt.Errorf("timed out after %s, %s", r.opts.Timeout, what), "%s", hint))
	case plan.HintOf(err) != "":
		return fmt.Errorf("drain %s: %w", r.decision.Title(), err)
	}
	if errors.Is(err, context.DeadlineExceeded) { // the caller's: what keeps the pods is the same
		return plan.As(plan.TimedOut, plan.Hint(fmt.Errorf("timed out, %s", what), "%s", hint))
	}
	if errors.Is(err, context.Canceled) {
		return plan.As(plan.Interrupted, plan.Hint(fmt.Errorf("interrupted (%w), %s", err, what), "%s", hint))
	}
	return plan.Hint(fmt.Errorf("stopped (%w), %s", err, what), "%s", hint)
}

func (r *run) anyExpired() bool {
	for _, it := range r.items {
		if it.expired {
			return true
		}
	}
	return false
}

// unreplaced are the controllers that pods were taken from and that lack some.
func (r *run) unreplaced() []string {
	seen, out := map[types.UID]bool{}, []string(nil)
	for _, it := range r.items {
		if len(it.Owners) == 0 || seen[it.Owners[0].UID] {
			continue
		}
		seen[it.Owners[0].UID] = true
		if lacks := r.workloads.lacks(it.Owners[0].UID); lacks != "" {
			out = append(out, fmt.Sprintf("%s has %s", it.Owners, lacks))
		}
	}
	return out
}
