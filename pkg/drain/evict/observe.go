// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// observe brings the items up to date with the mirrors.
func (r *run) observe(now time.Time) {
	if !r.ready() {
		return
	}
	if news := r.budgets.News(); len(news) > 0 || r.matching == nil {
		for _, budget := range news {
			r.ledger.heard(budget, now)
		}
		r.matching = pdb.NewMatching(r.budgets.All())
	}
	for _, mirror := range r.pods {
		mirror.News()
	}
	r.nodes.News()
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
			it.phase, it.said, it.budgets = givenUp, answer{kind: never, cause: drain.CauseUncordoned, text: why}, nil
		}
		r.giveUp(it, pod)
	}
}

// giveUp gives a pod up whose budget never opens, now that what was to open it is gone.
func (r *run) giveUp(it *item, pod *corev1.Pod) {
	h, hopeless := r.hopeless[it.UID]
	if !hopeless || it.phase != waiting {
		return
	}
	budgets := r.matching.Of(pod, &it.match)
	if len(budgets) != 1 || !pdb.Describe(budgets[0]).Never {
		return
	}
	it.phase, it.budgets = givenUp, nil
	it.said = answer{kind: never, cause: drain.CauseSurgeUndone, text: h.Why, denial: drain.Denial{WayOut: h.WayOut}}
}

// uncordoned are the nodes from which no more pods are to be taken, and why:
// they were uncordoned, or they are other Nodes by now.
func (r *run) uncordoned() map[string]string {
	out := map[string]string{}
	for _, n := range r.decision.Nodes {
		switch node, exists := r.nodes.Get(n.UID); {
		case !exists:
			out[n.Name] = "node " + n.Name + " was deleted"
		case !node.Spec.Unschedulable:
			out[n.Name] = "node " + n.Name + " was uncordoned during the drain"
		}
	}
	return out
}

// age follows a pod that is still there.
func (r *run) age(it *item, pod *corev1.Pod, now time.Time) {
	if it.phase == waiting && pod.DeletionTimestamp != nil && !drain.Hastens(pod, r.opts) {
		it.phase, it.said = stopping, read(nil, drain.Right{})
	}
	if limit := r.opts.PodTimeout; limit > 0 && it.phase != asked && !it.turnAt.IsZero() && now.Sub(it.turnAt) >= limit {
		it.phase, it.expired = givenUp, true
		return
	}
	if it.phase != stopping {
		return
	}
	switch {
	case drain.Overdue(pod, r.opts, now):
		it.phase = unwaited
	case pod.DeletionTimestamp != nil:
		it.finishAt = pod.DeletionTimestamp.Time
		r.date(pod)
		var wayOut string
		it.said.text, wayOut = lingering(pod, r.kubeletSilent(it.Node), now)
		it.said.denial = drain.Denial{WayOut: wayOut}
	case it.Action != drain.ActionWait && now.Sub(it.since) >= reconsider:
		it.phase = waiting
	}
}

// kubeletSilent reports whether the node's kubelet does not answer.
func (r *run) kubeletSilent(name string) bool {
	for _, n := range r.decision.Nodes {
		if node, exists := r.nodes.Get(n.UID); exists && n.Name == name {
			return !kube.NodeReady(node)
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

// returnTime is how long a drain waits, when all have left, for the successors of
// pods that tolerate the cordon.
const returnTime = 2 * time.Second

// expectsBack reports whether such a successor may come yet: none has, and the
// last pod has left a moment ago.
func (r *run) expectsBack(now time.Time) bool {
	tolerates := slices.ContainsFunc(r.items, func(it *item) bool { return it.Tolerates && it.phase == left })
	if !tolerates || now.Sub(r.turns.last()) >= returnTime {
		return false
	}
	var out Outcome
	r.newcomers(r.controllers(), &out)
	return len(out.Returned) == 0
}

// neverStarted is why a pod of which nothing ever ran is still there.
const neverStarted = "it never started, and its kubelet has not confirmed that nothing of it runs"

// lingering says why a pod that should be gone is still there, and the way out where
// describing the pod shows none; empty while its grace period lasts. The order is that of
// the proofs: a silent kubelet confirms nothing, a finalizer is kept whatever the kubelet
// says, containers that have ended leave volumes to be unmounted, of which only the
// kubelet's journal tells (kubernetes/kubernetes#51835), and a pod whose resources were never
// prepared is not ended by its kubelet (kubernetes/kubernetes#139772).
func lingering(pod *corev1.Pod, silent bool, now time.Time) (why, wayOut string) {
	const tolerance = 5 * time.Second
	switch late := now.Sub(pod.DeletionTimestamp.Time); {
	case late < tolerance:
		return "", ""
	case silent:
		return "past its grace period, and its node's kubelet does not answer, so nothing confirms that it stopped", ""
	case len(pod.Finalizers) > 0 && kube.Finished(pod):
		return fmt.Sprintf("it has stopped and is held by the finalizer %s", pod.Finalizers[0]), ""
	case stopped(pod):
		return "its containers have stopped and its kubelet has not cleaned up yet" + claimed(pod),
			"see what the kubelet waits for, on the host: journalctl -u kubelet | grep " + text.Quote(string(pod.UID)) +
				" (a busy volume: end the process that uses it)"
	case len(pod.Finalizers) > 0:
		return fmt.Sprintf("past its grace period, held by the finalizer %s", pod.Finalizers[0]), ""
	case unstarted(pod):
		return neverStarted, "nothing of it has run, so it may go by force: " +
			text.Command("kubectl", "-n", pod.Namespace, "delete", "pod", pod.Name, "--force", "--grace-period=0")
	}
	return "past its grace period, its kubelet has not confirmed that it stopped", ""
}

// unstarted reports whether no container of the pod has ever run.
func unstarted(pod *corev1.Pod) bool {
	ran := func(c corev1.ContainerStatus) bool {
		return c.State.Running != nil || c.State.Terminated != nil || c.LastTerminationState.Terminated != nil || c.RestartCount > 0 ||
			c.ContainerID != ""
	}
	return pod.Status.Phase == corev1.PodPending && !slices.ContainsFunc(slices.Concat(pod.Status.InitContainerStatuses,
		pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses), ran)
}

// explain adds the last warning of the API server's events about pods that never started,
// of a few; who may not list events is told without.
func (r *run) explain(ctx context.Context, client kubernetes.Interface) {
	asked := 0
	for _, it := range r.items {
		if it.phase == left || it.said.text != neverStarted || asked == mostExplained {
			continue
		}
		asked++
		events, err := client.CoreV1().Events(it.Namespace).List(ctx, metav1.ListOptions{Limit: 100,
			FieldSelector: "type=Warning,involvedObject.uid=" + string(it.UID)})
		if err != nil {
			return
		}
		last := corev1.Event{}
		for _, e := range events.Items {
			if e.InvolvedObject.UID == it.UID && e.Type == corev1.EventTypeWarning && !e.LastTimestamp.Before(&last.LastTimestamp) {
				last = e
			}
		}
		if last.Reason != "" {
			it.said.text += " (" + text.Short(last.Reason+": "+last.Message, 300) + ")"
		}
	}
}

// mostExplained is of how many pods events are read.
const mostExplained = 5

// stopped reports whether every container of the pod is known to have ended.
func stopped(pod *corev1.Pod) bool {
	all := pod.Status.ContainerStatuses
	for _, c := range all {
		if c.State.Terminated == nil {
			return false
		}
	}
	return len(all) > 0
}

// claimed names the claims whose volumes may be what is waited for.
func claimed(pod *corev1.Pod) string {
	var names []string
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": its volumes are still mounted (PersistentVolumeClaim " + strings.Join(names, ", ") + ")"
}

// cordonedNodes are the Nodes as the decision knows them, cordoned by now.
func cordonedNodes(d drain.Decision) []*corev1.Node {
	var out []*corev1.Node
	for _, n := range d.Nodes {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID}, Spec: corev1.NodeSpec{Unschedulable: true}}
		if n.Ready {
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		}
		out = append(out, node)
	}
	return out
}
