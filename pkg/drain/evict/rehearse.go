// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Rehearsal is the server's answer to a request that changes nothing.
type Rehearsal struct {
	drain.Pod
	// Allowed is true if the server would let the pod go now.
	Allowed bool `json:"allowed"`
	// Cause and Why say what would keep it; empty if Allowed.
	Cause drain.Cause `json:"cause,omitempty"`
	Why   string      `json:"why,omitempty"`
}

// Rehearse asks the server once for every pod that would be evicted or deleted,
// as a dry run, and returns the answers in the order of the decision. It never
// asks twice. A dry run spends nothing of a budget, so several pods may be
// allowed where only one could go. The error is that of an ended context.
func Rehearse(ctx context.Context, client kubernetes.Interface, d drain.Decision, o drain.Options) ([]Rehearsal, error) {
	a := asker{client: client, opts: o, dryRun: true}
	pods := d.With(drain.ActionEvict, drain.ActionDelete)
	out := make([]Rehearsal, len(pods))
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	for i, v := range pods {
		group.Go(func() error {
			out[i] = Rehearsal{Pod: v.Pod, Allowed: true}
			if said := read(a.ask(ctx, v), rightFor(v.Action)); said.kind == later || said.kind == never {
				out[i] = Rehearsal{Pod: v.Pod, Cause: said.cause, Why: said.sentence()}
				if said.cause == drain.CauseSeveralBudgets && len(v.Budgets) > 1 {
					out[i].Why += " (" + pdb.Names(v.Budgets) + ")"
				}
			}
			return nil
		})
	}
	_ = group.Wait() // no goroutine returns an error
	return out, context.Cause(ctx)
}

// Table is the decision as rows of cells, the first being the header. With
// answers of a rehearsal it has a column for them; nil leaves it out.
func Table(d drain.Decision, answers []Rehearsal) [][]string {
	said := map[drain.Pod]string{}
	for _, answer := range answers {
		said[answer.Pod] = text.Choose(answer.Allowed, "allowed", answer.Why)
	}
	rows := [][]string{{"ACTION", "POD", "OWNER", "BUDGET", "WHY"}}
	if answers != nil {
		rows[0] = append(rows[0], "SERVER")
	}
	for _, v := range d.Verdicts {
		budgets := make([]string, 0, len(v.Budgets))
		for _, b := range v.Budgets {
			budgets = append(budgets, fmt.Sprintf("%s (%d may go)", b.Name, b.DisruptionsAllowed))
		}
		owner := text.Choose(len(v.Owners) == 0, "", v.Owners.String())
		row := []string{string(v.Action), v.String(), dash(owner), dash(strings.Join(budgets, ", ")), v.Message}
		if answers != nil {
			row = append(row, dash(said[v.Pod]))
		}
		rows = append(rows, row)
	}
	return rows
}

func dash(s string) string { return text.Choose(s == "", "-", s) }

// RefusedNow is what a rehearsal found, as an error of class plan.Found: the
// pods that the server would not let go at this moment; nil if there are none.
func RefusedNow(answers []Rehearsal) error {
	var reasons, lines []string
	pods, refused := map[string][]string{}, 0
	hint := "a drain waits until it may; --timeout bounds that"
	for _, answer := range answers {
		if answer.Allowed {
			continue
		}
		refused++
		if len(pods[answer.Why]) == 0 {
			reasons = append(reasons, answer.Why)
		}
		pods[answer.Why] = append(pods[answer.Why], answer.String())
		if answer.Cause == drain.CauseSeveralBudgets {
			hint = "keep one PodDisruptionBudget for each pod: the eviction API supports no more"
		}
	}
	if refused == 0 {
		return nil
	}
	for _, reason := range reasons {
		lines = append(lines, reason+": "+text.Some(pods[reason]))
	}
	err := fmt.Errorf("the server would not let %s go now:\n%s", text.Count(refused, "pod"), strings.Join(text.Capped(lines), "\n"))
	return plan.As(plan.Found, plan.Hint(err, "%s", hint))
}
