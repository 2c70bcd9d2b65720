// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Surge is what a surge does, or would do, for one Deployment whose budget never lets a
// pod go. Who decides that is no part of a forecast.
type Surge struct {
	Deployment string    `json:"deployment"`
	UID        types.UID `json:"uid"`
	// Text says in a sentence what is done, or why nothing is.
	Text string `json:"text"`
	// Refused says why nothing is done; empty if it is.
	Refused string `json:"refused,omitempty"`
	// Replicas is what it has, and More how many there are more while it drains. With
	// no more it is a rolling restart, which replaces AtOnce pods at a time.
	Replicas int `json:"replicas"`
	More     int `json:"more,omitempty"`
	AtOnce   int `json:"atOnce,omitempty"`
	// Fixed is true if no other way to more replicas helps either.
	Fixed bool `json:"-"`
	// Offer is the surge that would help where none is done: "auto", "restart", or
	// empty. OfferMore is as More.
	Offer     string `json:"offer,omitempty"`
	OfferMore int    `json:"-"`
}

// restarts reports whether it is a rolling restart.
func (s Surge) restarts() bool { return s.More == 0 }

// begun is the surge that is done for the workload of a pod.
func (v *view) begun(i int) (Surge, bool) {
	owners := v.going[i].Owners
	if !v.Surging || len(owners) == 0 || v.gates[i] != pdb.Closed && !v.freed[i] {
		return Surge{}, false
	}
	s, known := v.Surges[owners[len(owners)-1].UID]
	return s, known && s.Refused == ""
}

// extras are as many pods as a surge adds beyond those that leave: the pod that leaves
// last makes room for one, and the others need a node of their own.
func (v *view) extras() []*corev1.Pod {
	var out []*corev1.Pod
	seen := map[types.UID]bool{}
	for i, pod := range v.pods {
		s, surges := v.begun(i)
		if !surges || seen[s.UID] {
			continue
		}
		seen[s.UID] = true
		for n := 1; n < s.More; n++ {
			extra := pod.DeepCopy()
			extra.UID = types.UID(fmt.Sprintf("%s %d", s.UID, n))
			out = append(out, extra)
		}
	}
	return out
}

// surge opens the budgets as the surges do, on copies of them: those of which all new
// pods find a node. A rolling restart deletes the pods itself and asks no budget; it
// has one of its own, that lets as many go as it replaces at once.
func (v *view) surge() {
	if !v.Surging {
		return
	}
	open := map[types.UID]*policyv1.PodDisruptionBudget{}
	counted := map[types.UID]bool{}
	for i := range v.going {
		s, surges := v.begun(i)
		if !surges || len(v.match[i]) != 1 || len(v.cramped(i)) > 0 {
			continue
		}
		budget := v.match[i][0]
		key := budget.UID
		if s.restarts() {
			key = s.UID
		}
		if open[key] == nil {
			open[key] = budget.DeepCopy()
			open[key].UID = key
			open[key].Status.DisruptionsAllowed = open[key].Status.CurrentHealthy - open[key].Status.DesiredHealthy
			if s.restarts() {
				open[key].Name = "the restart of Deployment " + s.Deployment
				open[key].Status.DisruptionsAllowed = int32(max(s.AtOnce, 1))
			}
		}
		if !s.restarts() && !counted[s.UID] {
			open[key].Status.DisruptionsAllowed += int32(s.More)
		}
		counted[s.UID] = true
	}
	for i := range v.going {
		v.release(i, open)
	}
}

// release lets the pod go through what a surge has opened for it. What is opened for
// one Deployment is open for all pods under that budget, but those that the surge cannot
// help.
func (v *view) release(i int, open map[types.UID]*policyv1.PodDisruptionBudget) {
	if v.gates[i] != pdb.Closed {
		return
	}
	s, surges := v.begun(i)
	key := v.match[i][0].UID
	if surges && s.restarts() {
		key = s.UID
	}
	budget := open[key]
	if budget == nil {
		return
	}
	if !surges || !s.restarts() {
		v.match[i] = []*policyv1.PodDisruptionBudget{budget}
	}
	if surges && len(v.cramped(i)) > 0 {
		return
	}
	gate := pdb.GateOf(v.pods[i], []*policyv1.PodDisruptionBudget{budget})
	if surges && s.restarts() {
		gate = pdb.Spend // whatever the budget says of it
	}
	if gate == pdb.Closed {
		return
	}
	v.freed[i], v.gates[i], v.match[i] = true, gate, []*policyv1.PodDisruptionBudget{budget}
	if _, known := v.account[key]; !known {
		v.account[key] = len(v.account)
	}
}

// late is the walk against a clock: what a surge opens is closed until its new pod is
// Ready. The pods of a restart that are not on the nodes may be replaced first.
func (v *view) late(times timing, worst bool) walk {
	w := v.walk(times)
	w.opens = make([]time.Duration, len(w.allowed))
	here := map[types.UID]int{}
	for i := range v.going {
		if s, surges := v.begun(i); surges {
			here[s.UID]++
		}
	}
	for i := range v.going {
		s, surges := v.begun(i)
		if !surges || !v.freed[i] {
			continue
		}
		_, back := times(i)
		if worst && s.restarts() {
			back *= time.Duration(1 + max(s.Replicas-here[s.UID], 0)/max(s.AtOnce, 1))
		}
		account := w.pods[i].account
		w.opens[account] = max(w.opens[account], back)
	}
	return w
}

// cramped are the reasons for which a surge of the pod's workload does not help: a new
// pod of it finds no node.
func (v *view) cramped(i int) []string {
	s, surges := v.begun(i)
	if reasons := v.unschedulable[v.going[i].UID]; len(reasons) > 0 || !surges {
		return reasons
	}
	for n := 1; n < s.More; n++ {
		if reasons := v.unschedulable[types.UID(fmt.Sprintf("%s %d", s.UID, n))]; len(reasons) > 0 {
			return reasons
		}
	}
	return nil
}

// stuckSurge is the blocker of pods that a surge was to help and does not.
func (v *view) stuckSurge(b *Blocker, budget *policyv1.PodDisruptionBudget, pods []int) bool {
	if !v.Surging || len(b.Owners) == 0 {
		return false
	}
	s, known := v.Surges[b.Owners[len(b.Owners)-1].UID]
	if !known {
		return false
	}
	rule := fmt.Sprintf("%s of %d pods never lets one go", b.Budgets[0].Rule, b.Budgets[0].Expected)
	if s.Refused != "" {
		b.Class, b.Why = Permanent, rule+", and the surge leaves Deployment "+s.Deployment+" as it is: "+s.Refused
		b.Remedies = v.remedyPermanent(budget, b.Owners, b.Pods)
		return true
	}
	for _, i := range pods {
		if reasons := v.cramped(i); len(reasons) > 0 {
			b.Class = NoRoom
			b.Why = fmt.Sprintf("%s, and the pod that the surge adds to Deployment %s finds no node (%s), so it does not help", rule, s.Deployment,
				text.Some(reasons))
			b.Remedies = append([]Remedy{{Command: "kubectl describe nodes", Effect: "see what is taken; add a node, or lower requests"}},
				v.remedyPermanent(budget, b.Owners, b.Pods)...)
			return true
		}
	}
	v.temporary(b, budget, pods)
	return true
}

// offer is the remedy by a surge, where one helps; known is false where that was not
// found out.
func (v *view) offer(top drain.Owner) (remedy []Remedy, known bool) {
	s, known := v.Surges[top.UID]
	if !known || s.Offer == "" {
		return nil, known
	}
	effect := fmt.Sprintf("a rolling restart of %s brings its pods elsewhere; a Deployment asks no budget", top)
	if s.OfferMore > 0 {
		effect = fmt.Sprintf("%s has %d replicas while it drains, and %d again afterwards", top, s.Replicas+s.OfferMore, s.Replicas)
	}
	return []Remedy{{Command: v.surging(s.Offer), Effect: effect}}, true
}

// surges are those that are begun or refused, sorted.
func (v *view) surges() []Surge {
	if !v.Surging {
		return nil
	}
	var out []Surge
	for _, s := range v.Surges {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Surge) int {
		if a.Deployment < b.Deployment {
			return -1
		}
		return 1
	})
	return out
}

// surged reports whether a pod leaves by a surge of its own workload, so that its
// successor is Ready before.
func (v *view) surged(i int) bool {
	_, surges := v.begun(i)
	return surges && v.freed[i]
}

// asksNoBudget reports whether a pod leaves by a restart.
func (v *view) asksNoBudget(i int) bool {
	s, surges := v.begun(i)
	return surges && v.freed[i] && s.restarts()
}
