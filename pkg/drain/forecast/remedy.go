// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"regexp"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// look is a remedy that begins with looking.
func look(budget *policyv1.PodDisruptionBudget, effect string) Remedy {
	return Remedy{Command: text.Command("kubectl", "-n", budget.Namespace, "describe", "pdb", budget.Name), Effect: effect}
}

// remedyPermanent is for a budget that lets no pod go: a surge where that helps,
// more replicas where they do, an edit always.
//
// One more replica helps against a number or a share of pods that have to be
// available, but not against "none unavailable" and "100 %", which grow with
// the replicas. Against those a rolling restart helps, since the Deployment
// deletes its pods itself and asks no budget.
//
// Neither helps where a successor finds no node: no new pod becomes Ready then
// (kubernetes/kubernetes#91141).
func (v *view) remedyPermanent(budget *policyv1.PodDisruptionBudget, owners drain.Owners, pods []drain.Pod) []Remedy {
	var out []Remedy
	edit := v.remedyEdit(budget, owners)
	for _, pod := range pods {
		if reasons := v.unschedulable[pod.UID]; len(reasons) > 0 {
			edit.Effect = fmt.Sprintf("one pod may go at a time; its successor finds no node (%s), so it is down until it does", text.Some(reasons))
			return []Remedy{edit}
		}
	}
	workload, known := v.top(owners)
	if !known {
		return []Remedy{edit}
	}
	top := owners[len(owners)-1]
	others := max(int(budget.Status.ExpectedPods)-int(workload.Replicas), 0)
	enough, possible := enoughReplicas(budget.Spec, int(workload.Replicas), others)
	number := budget.Spec.MinAvailable != nil && budget.Spec.MinAvailable.Type == intstr.Int
	surge, known := v.offer(top)
	switch {
	case known:
		out = surge
	case top.Kind != "Deployment":
	case possible && number && enough-int(workload.Replicas) <= max(1, int(workload.Replicas)):
		out = append(out, Remedy{Command: v.surging("auto"), Effect: fmt.Sprintf("%s has %d replicas while it drains, and %d again afterwards",
			top,
			enough, workload.Replicas)})
	case !number && !workload.Paused:
		out = append(out, Remedy{Command: v.surging("auto"),
			Effect: fmt.Sprintf("a rolling restart of %s brings its pods elsewhere; a Deployment asks no budget", top)})
	}
	if possible && !v.Surges[top.UID].Fixed {
		out = append(out, Remedy{
			Command: top.ScaleCommand(budget.Namespace, enough),
			Effect:  fmt.Sprintf("the budget then lets one of %d go", enough+others),
		})
	}
	return append(out, edit)
}

// surging is the command with a surge, which it may have been given already.
func (v *view) surging(mode string) string {
	return regexp.MustCompile(` --surge[= ]\S+`).ReplaceAllString(v.command, "") + " --surge=" + mode
}

// mostReplicas bounds the search for a number of replicas that is enough.
const mostReplicas = 1000

// enoughReplicas is the least number of replicas from now on with which the
// budget lets a pod go, if there is one; others are the pods of other owners.
func enoughReplicas(spec policyv1.PodDisruptionBudgetSpec, now, others int) (int, bool) {
	for n := now; n <= now+mostReplicas; n++ {
		total := n + others
		if needed, err := neededOf(spec, total); err == nil && total > needed {
			return n, true
		}
	}
	return 0, false
}

// neededOf is how many of so many pods have to be healthy (Kubernetes 1.36,
// pkg/controller/disruption: percentages are rounded up, of both rules).
func neededOf(spec policyv1.PodDisruptionBudgetSpec, total int) (int, error) {
	if spec.MaxUnavailable != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, total, true)
		return max(total-n, 0), err
	}
	if spec.MinAvailable == nil {
		return 0, nil
	}
	return intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, total, true)
}

// remedyEdit changes the budget so that one pod may go at a time.
func (v *view) remedyEdit(budget *policyv1.PodDisruptionBudget, owners drain.Owners) Remedy {
	change := `{"spec":{"minAvailable":null,"maxUnavailable":1}}`
	if rule := budget.Spec.MinAvailable; rule != nil && rule.Type == intstr.Int {
		change = fmt.Sprintf(`{"spec":{"minAvailable":%d}}`, max(min(budget.Status.DesiredHealthy, budget.Status.ExpectedPods)-1, 0))
	}
	effect := "one pod may go at a time"
	if w, known := v.top(owners); known && w.Replicas == 1 {
		effect += "; it is the only one, so it is down until its successor is Ready"
	}
	return Remedy{Command: text.Command("kubectl", "-n", budget.Namespace, "patch", "pdb", budget.Name, "--type=merge", "-p",
		change), Effect: effect}
}

// remedySeveral deletes a budget too many: one that nothing would bring back, or
// the last by name.
func (v *view) remedySeveral(pdbs []*policyv1.PodDisruptionBudget) []Remedy {
	extra := pdbs[len(pdbs)-1]
	for _, budget := range pdbs {
		if len(managedby.Of(budget)) == 0 {
			extra = budget
		}
	}
	var rest []string
	for _, budget := range pdbs {
		if budget.UID != extra.UID {
			rest = append(rest, fmt.Sprintf("%s (%s)", budget.Name, pdb.Rule(budget.Spec)))
		}
	}
	return []Remedy{{Command: text.Command("kubectl", "-n", extra.Namespace, "delete", "pdb", extra.Name), Effect: "it is left with " +
		text.Some(rest)}}
}

// remedySync gives a budget that cannot be worked out a number, which needs no
// scale.
func (v *view) remedySync(budget *policyv1.PodDisruptionBudget) []Remedy {
	out := []Remedy{look(budget, "see what the disruption controller says")}
	if number := budget.Spec.MinAvailable; number != nil && number.Type == intstr.Int {
		return out
	}
	healthy := v.Healthy[budget.UID]
	return append(out, Remedy{
		Command: fmt.Sprintf(`kubectl -n %s patch pdb %s --type=merge -p '{"spec":{"maxUnavailable":null,"minAvailable":%d}}'`,
			text.Quote(budget.Namespace), text.Quote(budget.Name), max(healthy-1, 0)),
		Effect: fmt.Sprintf("a number needs no scale; %d pods are Ready", healthy),
	})
}
