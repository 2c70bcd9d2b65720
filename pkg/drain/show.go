// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Table is the decision as rows of cells, the first being the header. With
// answers of a rehearsal it has a column for them; nil leaves it out.
func Table(d Decision, answers []Rehearsal) [][]string {
	said := map[Pod]string{}
	for _, answer := range answers {
		said[answer.Pod] = choose(answer.Allowed, "allowed", answer.Why)
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
		owner := choose(len(v.Owners) == 0, "", v.Owners.String())
		row := []string{string(v.Action), v.String(), dash(owner), dash(strings.Join(budgets, ", ")), v.Message}
		if answers != nil {
			row = append(row, dash(said[v.Pod]))
		}
		rows = append(rows, row)
	}
	return rows
}

func dash(s string) string { return choose(s == "", "-", s) }

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
		if answer.Cause == CauseSeveralBudgets {
			hint = "keep one PodDisruptionBudget for each pod: the eviction API supports no more"
		}
	}
	if refused == 0 {
		return nil
	}
	for _, reason := range reasons {
		lines = append(lines, reason+": "+some(pods[reason]))
	}
	err := fmt.Errorf("the server would not let %d pods go now:\n%s", refused, strings.Join(capped(lines), "\n"))
	return plan.As(plan.Found, plan.Hint(err, "%s", hint))
}

// Again surveys and decides anew, which is due once a cordon has taken effect:
// pods may have come until then. A decision that blocks now is an error of
// class plan.Broken, since something has changed by then.
func Again(ctx context.Context, client kubernetes.Interface, target Target, o Options) (Decision, error) {
	snapshot, err := Survey(ctx, client, target, o)
	if err != nil {
		return Decision{}, plan.Begun(err)
	}
	d := Decide(snapshot, o)
	return d, plan.Begun(d.Refusal())
}
