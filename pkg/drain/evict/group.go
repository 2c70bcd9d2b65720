// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// obstacle is one reason with the pods that it keeps.
type obstacle struct {
	Left // the first of them
	pods []string
}

// group puts pods together that one thing keeps, budgets first, because they
// are what a person can do something about.
func group(left []Left) []obstacle {
	var out []obstacle
	index := map[string]int{}
	for _, l := range left {
		key := l.key()
		i, seen := index[key]
		if !seen {
			i = len(out)
			index[key] = i
			out = append(out, obstacle{Left: l})
		}
		out[i].pods = append(out[i].pods, l.String())
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].rank() < out[j].rank() })
	return out
}

// key is equal for pods that one thing keeps.
func (l Left) key() string {
	key := string(l.Cause)
	switch l.Cause {
	case drain.CauseBudget, drain.CauseSeveralBudgets:
		for _, b := range l.Budgets {
			key += " " + b.String()
		}
		return key + " " + l.Owners.String()
	case drain.CauseNamespace:
		return key + " " + l.Namespace
	case drain.CauseStopping:
		return key + " " + l.Why
	case drain.CauseReplacement, drain.CauseUncordoned, drain.CauseSurgeUndone:
		return key + " " + l.Why
	case drain.CausePolicy, drain.CauseWebhook, drain.CauseWebhookDown:
		return key + " " + l.denial.By
	case drain.CauseBusy, drain.CauseServer, drain.CauseForbidden, drain.CauseRejected, drain.CauseNotAsked, drain.CauseTurn, drain.CauseQuota,
		drain.CauseAdmission, drain.CauseReadOnly:
		// What the server said names the pod, so it is no key.
	}
	return key
}

func (l Left) rank() int {
	for i, c := range []drain.Cause{drain.CauseBudget, drain.CauseSeveralBudgets, drain.CauseSurgeUndone, drain.CauseUncordoned,
		drain.CauseReplacement,
		drain.CauseForbidden, drain.CauseRejected, drain.CausePolicy, drain.CauseWebhook, drain.CauseWebhookDown, drain.CauseQuota,
		drain.CauseAdmission, drain.CauseReadOnly, drain.CauseNamespace, drain.CauseServer, drain.CauseBusy} {
		if l.Cause == c {
			return i
		}
	}
	return 100
}

// text is the obstacle in one line, with its pods.
func (o obstacle) text() string {
	pods := text.Some(o.pods)
	switch o.Cause {
	case drain.CauseBudget:
		if len(o.Budgets) == 1 {
			b := o.Budgets[0]
			return fmt.Sprintf("PodDisruptionBudget %s (%s) keeps %s%s", b, b.Numbers(), pods, o.ownedBy())
		}
	case drain.CauseSeveralBudgets:
		return fmt.Sprintf("%s: %s%s", o.Why, pods, o.ownedBy())
	default:
	}
	return o.Why + ": " + pods
}

// short is the obstacle in a line that fits a terminal: what matters comes
// first, the names of the pods last.
func (o obstacle) short() string {
	pods := text.Choose(len(o.pods) == 1, o.pods[0], fmt.Sprintf("%d pods", len(o.pods)))
	if o.Cause == drain.CauseBudget && len(o.Budgets) == 1 {
		b := o.Budgets[0]
		why := fmt.Sprintf("%d of %d healthy, needs %d", b.CurrentHealthy, b.Expected, b.Needed)
		if b.Trouble != "" {
			why = b.Trouble
		}
		return fmt.Sprintf("PDB %s: %s; keeps %s", b, why, pods)
	}
	return o.Why + ": " + pods
}

func (o obstacle) ownedBy() string {
	return text.Choose(len(o.Owners) == 0, "", " of "+o.Owners.String())
}

// hint says what would let the pods go.
func (o obstacle) hint() string {
	switch o.Cause {
	case drain.CauseBudget, drain.CauseSeveralBudgets:
		return o.openBudget()
	case drain.CauseStopping:
		if o.Why == "stopping" {
			return "they need more time: a longer --timeout, or a shorter --grace-period"
		}
		if o.WayOut != "" {
			return o.WayOut
		}
		return fmt.Sprintf("see what holds it: kubectl -n %s describe pod %s; if the node is dead, --skip-wait-for-delete-timeout=SECONDS does "+
			"not wait", text.Quote(o.Namespace), text.Quote(o.Name))
	case drain.CauseNamespace:
		return fmt.Sprintf("see what holds the namespace: kubectl get namespace %s -o yaml", text.Quote(o.Namespace))
	case drain.CauseRejected:
		return "the API server rejected the request: check --grace-period"
	case drain.CausePolicy, drain.CauseWebhook, drain.CauseWebhookDown, drain.CauseQuota, drain.CauseAdmission, drain.CauseReadOnly,
		drain.CauseForbidden, drain.CauseBusy, drain.CauseServer, drain.CauseSurgeUndone:
		return o.denial.WayOut
	case drain.CauseUncordoned:
		return "find out who wants the node back, and why; then the same command again"
	case drain.CauseReplacement:
		return "see what keeps the new pods: " + text.Command("kubectl", "-n", o.Namespace, "get", "pods,events")
	case drain.CauseNotAsked, drain.CauseTurn:
	}
	return "they were not asked yet: a longer --timeout"
}

// openBudget says what would open the budgets.
func (o obstacle) openBudget() string {
	list := text.Command("kubectl", "-n", o.Namespace, "get", "pdb")
	switch {
	case o.Cause == drain.CauseBudget && len(o.Budgets) == 1:
		return unblock(o.Budgets[0], o.Owners)
	case o.Cause == drain.CauseBudget:
		return "look at the budgets: " + list
	case len(o.Budgets) > 1:
		list = text.Command("kubectl", "-n", o.Namespace, "delete", "pdb", o.Budgets[1].Name)
	}
	return "the eviction API supports one budget per pod; keep one of them: " + list
}

// unblock says what would let a pod with these owners go.
func unblock(b pdb.Budget, owners drain.Owners) string {
	switch {
	case b.Trouble != "":
		return fmt.Sprintf("look at the budget: kubectl -n %s describe pdb %s", text.Quote(b.Namespace), text.Quote(b.Name))
	case !b.Never:
		return fmt.Sprintf("see which pods are not Ready: kubectl -n %s get pods -l %s", text.Quote(b.Namespace), text.Quote(b.Selector))
	}
	top := drain.Owner{}
	if len(owners) > 0 {
		top = owners[len(owners)-1]
	}
	absolute := strings.HasPrefix(b.Rule, "minAvailable ") && !strings.HasSuffix(b.Rule, "%")
	if absolute && (top.Kind == "Deployment" || top.Kind == "StatefulSet" || top.Kind == "ReplicaSet") {
		return text.Choose(b.Needed <= b.Expected, "one more replica", "more replicas") + " makes room: " + top.ScaleCommand(b.Namespace,
			int(max(b.Expected, b.Needed)+1))
	}
	return fmt.Sprintf("this budget never lets a pod go (%s of %d pods): kubectl -n %s edit pdb %s", b.Rule, b.Expected,
		text.Quote(b.Namespace), text.Quote(b.Name))
}

// locate names the configurations of the webhooks that keep pods, once at the
// end, and even if the time is over.
func (r *run) locate(ctx context.Context, client kubernetes.Interface) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	found := map[string]drain.Denial{}
	for _, it := range r.items {
		if it.phase == left || it.said.denial.Webhook == "" {
			continue
		}
		one, known := found[it.said.denial.By]
		if !known {
			one = drain.Locate(ctx, client, it.said.denial)
			found[it.said.denial.By] = one
		}
		it.said.denial.By, it.said.denial.WayOut = one.By, one.WayOut
	}
	r.explain(ctx, client)
}
