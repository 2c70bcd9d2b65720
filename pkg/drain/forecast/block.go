// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"cmp"
	"fmt"
	"slices"

	policyv1 "k8s.io/api/policy/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// blockers put the pods for which no wave comes together by what keeps them,
// the worst first. Pods that only wait for their turn behind others are not
// among them.
func (v *view) blockers(c course) []Blocker {
	groups := map[string][]int{}
	var keys []string
	for i, step := range c.steps {
		if step.left || step.kept == drain.CauseTurn {
			continue
		}
		key := obstacleKey(step.kept, v.going[i])
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], i)
	}
	var out []Blocker
	for _, key := range keys {
		out = append(out, v.blocker(groups[key], c))
	}
	order := []Class{Permanent, Pathological, NoRoom, Temporary}
	slices.SortStableFunc(out, func(a, b Blocker) int { return cmp.Compare(slices.Index(order, a.Class), slices.Index(order, b.Class)) })
	return out
}

// obstacleKey is equal for pods that one thing keeps.
func obstacleKey(kept drain.Cause, pod drain.Verdict) string {
	key := string(kept) + " " + pod.Owners.String()
	if kept == drain.CauseReplacement {
		return key + " " + pod.Namespace
	}
	for _, b := range pod.Budgets {
		key += " " + b.String()
	}
	return key
}

// blocker says what keeps some pods of one owner, and what would let them go.
func (v *view) blocker(pods []int, c course) Blocker {
	first := v.going[pods[0]]
	b := Blocker{Namespace: first.Namespace, Budgets: first.Budgets, Owners: first.Owners}
	for _, i := range pods {
		b.Pods = append(b.Pods, v.going[i].Pod)
	}
	pdbs := v.match[pods[0]]
	if c.steps[pods[0]].kept == drain.CauseReplacement {
		pdbs = nil
	}
	for _, budget := range pdbs {
		b.Releases = append(b.Releases, managedby.Of(budget)...)
		for _, u := range v.Unready[budget.UID] {
			if !slices.ContainsFunc(b.Unready, func(other Unready) bool { return other.UID == u.UID }) {
				b.Unready = append(b.Unready, u)
			}
		}
	}
	if top, known := v.top(b.Owners); known {
		for _, r := range top.Releases {
			if !slices.Contains(b.Releases, r) {
				b.Releases = append(b.Releases, r)
			}
		}
	}
	v.classify(&b, pdbs, pods, c)
	if b.Class == Permanent || b.Class == Pathological {
		b.Unready = nil // it would not help if they were
	}
	return b
}

// classify finds the reason, and with it class and remedies.
func (v *view) classify(b *Blocker, pdbs []*policyv1.PodDisruptionBudget, pods []int, c course) {
	spent := v.spenders(pdbs, b.Owners, c)
	switch {
	case len(pdbs) > 1:
		b.Class, b.Why = Pathological, fmt.Sprintf("%d PodDisruptionBudgets match, and the eviction API supports one", len(pdbs))
		b.Remedies = v.remedySeveral(pdbs)
	case len(pdbs) == 0: // --wait-for-replacement
		v.unreplaced(b, nil, spent)
	case pdb.SyncFailed(pdbs[0]):
		b.Class, b.Why = Pathological, b.Budgets[0].Trouble
		b.Remedies = v.remedySync(pdbs[0])
	case b.Budgets[0].Trouble != "":
		b.Class, b.Why = Temporary, b.Budgets[0].Trouble
		b.Remedies = []Remedy{look(pdbs[0], "it catches up by itself within seconds, if kube-controller-manager runs")}
	case b.Budgets[0].Never && v.stuckSurge(b, pdbs[0], pods):
	case b.Budgets[0].Never:
		b.Class, b.Why = Permanent, fmt.Sprintf("%s of %d pods never lets one go", b.Budgets[0].Rule, b.Budgets[0].Expected)
		b.Remedies = v.remedyPermanent(pdbs[0], b.Owners, b.Pods)
	case len(spent) > 0:
		v.unreplaced(b, pdbs[0], spent)
	default:
		v.temporary(b, pdbs[0], pods)
	}
}

// spenders are the pods that left before under the same budget, or of the same
// owner where there is none.
func (v *view) spenders(pdbs []*policyv1.PodDisruptionBudget, owners drain.Owners, c course) []int {
	var out []int
	for i, verdict := range v.going {
		same := len(pdbs) == 0 && len(owners) > 0 && len(verdict.Owners) > 0 && verdict.Owners[0].UID == owners[0].UID
		under := len(pdbs) == 1 && v.gates[i] == pdb.Spend && v.match[i][0].UID == pdbs[0].UID
		if c.steps[i].left && (same || under) {
			out = append(out, i)
		}
	}
	return out
}

// unreplaced is the blocker of a budget that does not come back.
func (v *view) unreplaced(b *Blocker, budget *policyv1.PodDisruptionBudget, spent []int) {
	for _, i := range spent {
		if reasons := v.unschedulable[v.going[i].UID]; len(reasons) > 0 {
			b.Class, b.Why = NoRoom, fmt.Sprintf("the successor of %s finds no node (%s), so the budget does not come back", v.going[i].Pod,
				text.Some(reasons))
			b.Remedies = []Remedy{{Command: "kubectl describe nodes",
				Effect: "see what is taken; add a node, lower requests, or drain fewer nodes at once"}}
			return
		}
	}
	b.Class, b.Why = Permanent, "nothing recreates the pods that left before, so the budget does not open again"
	if budget != nil {
		b.Remedies = []Remedy{v.remedyEdit(budget, b.Owners)}
	}
}

// temporary is the blocker of a budget that opens when other pods are Ready.
func (v *view) temporary(b *Blocker, budget *policyv1.PodDisruptionBudget, pods []int) {
	b.Class = Temporary
	numbers := b.Budgets[0]
	sick := slices.ContainsFunc(pods, func(i int) bool { return !kube.PodReady(v.pods[i]) })
	switch {
	case sick:
		b.Why = fmt.Sprintf("they are not Ready themselves, and only %d of %d pods that have to be are", numbers.CurrentHealthy, numbers.Needed)
		b.Remedies = append(b.Remedies, Remedy{
			Command: fmt.Sprintf(`kubectl -n %s patch pdb %s --type=merge -p '{"spec":{"unhealthyPodEvictionPolicy":"AlwaysAllow"}}'`,
				text.Quote(budget.Namespace), text.Quote(budget.Name)),
			Effect: "pods that are not Ready may go whatever the budget says",
		})
	case len(b.Unready) > 0:
		b.Why = fmt.Sprintf("%s is not Ready (%s)", b.Unready[0].Pod, b.Unready[0].Why)
	default:
		b.Why = fmt.Sprintf("%d of %d pods are healthy, and %d have to be", numbers.CurrentHealthy, numbers.Expected, numbers.Needed)
	}
	for _, u := range b.Unready {
		b.Remedies = append(b.Remedies, Remedy{Command: text.Command("kubectl", "-n", u.Namespace, "describe", "pod", u.Name),
			Effect: "see why it is not Ready: " + u.Why})
		break
	}
	if len(b.Unready) == 0 {
		b.Remedies = append(b.Remedies, look(budget, "see which pods it misses"))
	}
}
