// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Move is where the pods of one controller went: the ones that came for those
// that left.
type Move struct {
	Namespace string       `json:"namespace"`
	Owners    drain.Owners `json:"owners"`
	// Left is how many of its pods left.
	Left int `json:"left"`
	// To is how many new pods there are, by node; those without a node are
	// under "".
	To map[string]int `json:"to,omitempty"`
	// Pending says why some have no node, in the scheduler's words.
	Pending string `json:"pending,omitempty"`
}

// String is "Deployment/web: 3 pods left, now on w2 (2), w3 (1)".
func (m Move) String() string {
	top := "pods without a controller"
	if len(m.Owners) > 0 {
		top = m.Owners[len(m.Owners)-1].String()
	}
	var to []string
	for _, node := range slices.Sorted(maps.Keys(m.To)) {
		if node != "" {
			to = append(to, fmt.Sprintf("%s (%d)", node, m.To[node]))
		}
	}
	if n := m.To[""]; n > 0 {
		to = append(to, fmt.Sprintf("%d without a node%s", n, text.Choose(m.Pending == "", "", ": "+m.Pending)))
	}
	where := text.Choose(len(to) == 0, "no new pods yet", "now on "+text.Some(to))
	return fmt.Sprintf("%s/%s: %s, %s", m.Namespace, top, text.Choose(m.Left == 1, "1 pod left", fmt.Sprintf("%d pods left", m.Left)), where)
}

// fewNamespaces are listed one by one; for more one list of all pods costs less.
const fewNamespaces = 5

// Moves finds out where the pods that left have their successors now. It reads
// one list of pods for each namespace concerned, or a single one for many.
func Moves(ctx context.Context, client kubernetes.Interface, d drain.Decision, out Outcome) ([]Move, error) {
	moves := leftByController(d, out)
	namespaces := map[string]bool{}
	for _, m := range moves {
		namespaces[m.Namespace] = true
	}
	scopes := slices.Sorted(maps.Keys(namespaces))
	if len(scopes) > fewNamespaces {
		scopes = []string{metav1.NamespaceAll}
	}
	var pods []*corev1.Pod
	for _, namespace := range scopes {
		// What the API server has in its cache is new enough to be told.
		list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return nil, kube.UnreadList(err, "pods")
		}
		pods = append(pods, kube.Pointers(list.Items)...)
	}
	for _, pod := range pods {
		if m := moveOf(moves, pod); m != nil && !pod.CreationTimestamp.Time.Before(out.Began.Truncate(time.Second)) &&
			pod.DeletionTimestamp == nil {
			m.arrive(pod)
		}
	}
	var all []Move
	for _, m := range moves {
		all = append(all, *m)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].String() < all[j].String() })
	return all, nil
}

// moveOf finds the move that a pod belongs to: by its controller, or, after a
// rolling restart, by the Deployment whose ReplicaSets are called after it and
// the hash of the pod's template.
func moveOf(moves map[types.UID]*Move, pod *corev1.Pod) *Move {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return nil
	}
	if m := moves[ref.UID]; m != nil {
		return m
	}
	deployment, hashed := strings.CutSuffix(ref.Name, "-"+pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey])
	for _, m := range moves {
		if top := m.Owners[len(m.Owners)-1]; hashed && top.Kind == "Deployment" && top.Name == deployment && m.Namespace == pod.Namespace {
			return m
		}
	}
	return nil
}

func (m *Move) arrive(pod *corev1.Pod) {
	if m.To == nil {
		m.To = map[string]int{}
	}
	m.To[pod.Spec.NodeName]++
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			m.Pending = strings.TrimSpace(c.Message)
		}
	}
}

// leftByController counts the pods that left by their controller.
func leftByController(d drain.Decision, out Outcome) map[types.UID]*Move {
	owners := map[types.UID]drain.Owners{}
	for _, v := range d.Verdicts {
		owners[v.UID] = v.Owners
	}
	moves := map[types.UID]*Move{}
	for _, pod := range slices.Concat(out.Evicted, out.Deleted, out.Gone) {
		chain := owners[pod.UID]
		if len(chain) == 0 {
			continue
		}
		m, ok := moves[chain[0].UID]
		if !ok {
			m = &Move{Namespace: pod.Namespace, Owners: chain}
			moves[chain[0].UID] = m
		}
		m.Left++
	}
	return moves
}

// controllers are those of the pods that had to leave.
func (r *run) controllers() map[types.UID]drain.Owners {
	out := map[types.UID]drain.Owners{}
	for _, it := range r.items {
		if len(it.Owners) > 0 {
			out[it.Owners[0].UID] = it.Owners
		}
	}
	return out
}

// newcomers finds the pods that were bound to the nodes since the survey.
func (r *run) newcomers(controllers map[types.UID]drain.Owners, out *Outcome) {
	known := map[types.UID]bool{}
	for _, v := range r.decision.Verdicts {
		known[v.UID] = true
	}
	selector, err := labels.Parse(r.opts.PodSelector)
	if err != nil {
		return // Validate has seen it
	}
	for _, mirror := range r.pods {
		for _, pod := range mirror.All() {
			if known[pod.UID] || !selector.Matches(labels.Set(pod.Labels)) || !r.moves(pod) {
				continue
			}
			name := drain.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
			ref := metav1.GetControllerOf(pod)
			why := drain.Arrival(pod)
			if ref != nil && controllers[ref.UID] != nil {
				out.Returned = append(out.Returned, Returned{Pod: name, Node: pod.Spec.NodeName, Owners: controllers[ref.UID], Why: why})
				continue
			}
			out.Arrived = append(out.Arrived, name)
		}
	}
	sort.Slice(out.Returned, func(i, j int) bool { return out.Returned[i].Before(out.Returned[j].Pod) })
	sort.Slice(out.Arrived, func(i, j int) bool { return out.Arrived[i].Before(out.Arrived[j]) })
}

// moves reports whether the pod is one that a drain of its node would move.
func (r *run) moves(pod *corev1.Pod) bool {
	ours := kube.IsRunner(pod, r.opts.RunnerNamespace)
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return !ours && !mirror && !kube.Finished(pod) &&
		pod.DeletionTimestamp == nil && !kube.IsApps(metav1.GetControllerOf(pod), "DaemonSet")
}
