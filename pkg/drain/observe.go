// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// observe brings the items up to date with the mirrors.
func (r *run) observe(now time.Time) {
	if !r.ready() {
		return
	}
	if news := r.budgets.news(); len(news) > 0 || r.matching == nil {
		for _, pdb := range news {
			r.ledger.heard(pdb, now)
		}
		r.matching = newMatching(r.budgets.all())
	}
	for _, mirror := range r.pods {
		mirror.news()
	}
	r.nodes.news()
	taken := r.uncordoned()
	for _, it := range r.items {
		if it.over() {
			continue
		}
		pod, exists := r.pod(it)
		if !exists {
			r.leave(it, now)
			continue
		}
		r.age(it, pod, now)
		if why, stop := taken[it.Node]; stop && it.phase == waiting {
			it.phase, it.said, it.budgets = givenUp, answer{kind: never, cause: CauseUncordoned, text: why}, nil
		}
	}
}

// uncordoned are the nodes from which no more pods are to be taken, and why:
// somebody has made them schedulable again, or they are other Nodes by now.
func (r *run) uncordoned() map[string]string {
	out := map[string]string{}
	for _, n := range r.decision.Nodes {
		switch node, exists := r.nodes.get(n.UID); {
		case !exists:
			out[n.Name] = "node " + n.Name + " was deleted"
		case !node.Spec.Unschedulable:
			out[n.Name] = "somebody made node " + n.Name + " schedulable again"
		}
	}
	return out
}

// age follows a pod that is still there.
func (r *run) age(it *item, pod *corev1.Pod, now time.Time) {
	if it.phase == waiting && pod.DeletionTimestamp != nil && !hastens(pod, r.opts) {
		it.phase, it.said = stopping, read(nil, Right{})
	}
	if limit := r.opts.PodTimeout; limit > 0 && it.phase != asked && !it.turnAt.IsZero() && now.Sub(it.turnAt) >= limit {
		it.phase, it.expired = givenUp, true
		return
	}
	if it.phase != stopping {
		return
	}
	switch {
	case overdue(pod, r.opts, now):
		it.phase = unwaited
	case pod.DeletionTimestamp != nil:
		it.finishAt = pod.DeletionTimestamp.Time
		r.date(pod)
		it.said.text = lingering(pod, r.kubeletSilent(it.Node), now)
	case it.Action != ActionWait && now.Sub(it.since) >= reconsider:
		it.phase = waiting
	}
}

// kubeletSilent reports whether the node's kubelet does not answer.
func (r *run) kubeletSilent(name string) bool {
	for _, n := range r.decision.Nodes {
		if node, exists := r.nodes.get(n.UID); exists && n.Name == name {
			return !nodeReady(node)
		}
	}
	return false
}

// date notes when the first pod was told to stop, by the server's clock.
func (r *run) date(pod *corev1.Pod) {
	at := pod.DeletionTimestamp.Time
	if grace := pod.DeletionGracePeriodSeconds; grace != nil {
		at = at.Add(-time.Duration(*grace) * time.Second)
	}
	if r.out.Began.IsZero() || at.Before(r.out.Began) {
		r.out.Began = at
	}
}

// comeback is how long a drain waits, when all have left, for the successors of
// pods that tolerate the cordon.
const comeback = 2 * time.Second

// expectsBack reports whether such a successor may come yet: none has, and the
// last pod has left a moment ago.
func (r *run) expectsBack(now time.Time) bool {
	tolerates := slices.ContainsFunc(r.items, func(it *item) bool { return it.Tolerates && it.phase == left })
	if !tolerates || now.Sub(r.turns.last()) >= comeback {
		return false
	}
	var out Outcome
	r.newcomers(r.controllers(), &out)
	return len(out.Returned) == 0
}
