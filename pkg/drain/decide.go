// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Decide says for every pod of the snapshot what is to become of it, sorted by
// namespace and name. Which pods block, stay or go is what the filters of
// "kubectl drain" say (k8s.io/kubectl v0.37, pkg/drain/filters.go), but for
// the pods of this program (kube.IsRunner), which stay. Where kubectl names the first reason only,
// all of them are given, so that one look shows every flag that is missing.
func Decide(s Snapshot, o Options) Decision {
	d := Decision{Scope: s.Scope}
	for i := range s.Nodes {
		n := stateOf(&s.Nodes[i])
		for _, lock := range s.Locks {
			if lock.Node == n.Name {
				n.Foreign = append(n.Foreign, lock.String())
			}
		}
		d.Nodes = append(d.Nodes, n)
	}
	pdbs := make([]*policyv1.PodDisruptionBudget, 0, len(s.Budgets))
	for i := range s.Budgets {
		pdbs = append(pdbs, &s.Budgets[i])
	}
	budgets := pdb.NewGuards(pdbs)
	stages, _ := o.stages() // Survey has validated them
	for i := range s.Pods {
		pod := &s.Pods[i]
		v := s.judge(pod, o)
		v.Pod = Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
		v.Node = pod.Spec.NodeName
		v.Owners = s.owners(pod)
		v.Stage = stageOf(pod, stages)
		for _, budget := range budgets.Of(pod) {
			v.Budgets = append(v.Budgets, pdb.Describe(budget))
		}
		v.Message = message(v, pod, o)
		v.Tolerates = (v.Action == ActionEvict || v.Action == ActionDelete) && metav1.GetControllerOf(pod) != nil && entrance(pod) != ""
		if (v.Action == ActionEvict || v.Action == ActionDelete) && !kube.Finished(pod) {
			v.AsksToStay = asksToStay(pod)
		}
		if v.Action == ActionSkip {
			d.Staying = append(d.Staying, ClaimsOf(pod)...)
		}
		d.Verdicts = append(d.Verdicts, v)
	}
	s.jobs(&d)
	sort.Slice(d.Verdicts, func(i, j int) bool { return d.Verdicts[i].Before(d.Verdicts[j].Pod) })
	return d
}

// stageOf is the place of the pod in an order: the first selector that it
// matches, or after all of them.
func stageOf(pod *corev1.Pod, stages []labels.Selector) int {
	for i, selector := range stages {
		if selector.Matches(labels.Set(pod.Labels)) {
			return i
		}
	}
	return len(stages)
}

// stateOf is a node as a decision sees it.
func stateOf(node *corev1.Node) NodeState {
	n := NodeState{
		Name: node.Name, UID: node.UID, Ready: kube.NodeReady(node), Silent: kube.NodeSilent(node), Cordoned: node.Spec.Unschedulable,
		Zone: node.Labels[corev1.LabelTopologyZone], Foreign: foreignTo(node), Machine: machineOf(node),
	}
	if note, ok := NoteOf(node); ok {
		n.Note = &note
	}
	return n
}

// judge walks the filters in kubectl's order and fills in Action, Reason and
// Also.
func (s *Snapshot) judge(pod *corev1.Pod, o Options) Verdict {
	if kube.IsRunner(pod, o.RunnerNamespace) {
		return Verdict{Action: ActionSkip, Reason: ReasonRunner}
	}
	if Overdue(pod, o, s.Taken) {
		return Verdict{Action: ActionSkip, Reason: ReasonOverdue}
	}
	controller := metav1.GetControllerOf(pod)
	var blocking, consented []Reason
	weigh := func(r Reason, consent bool) {
		if consent {
			consented = append(consented, r)
		} else {
			blocking = append(blocking, r)
		}
	}
	if kube.IsApps(controller, "DaemonSet") && !kube.Finished(pod) {
		switch exists := s.DaemonSets[types.NamespacedName{Namespace: pod.Namespace, Name: controller.Name}]; {
		case !exists:
			weigh(ReasonDaemonSetMissing, o.Force)
		case o.IgnoreDaemonSets:
			return Verdict{Action: ActionSkip, Reason: ReasonDaemonSet}
		default:
			return Verdict{Action: ActionBlock, Reason: ReasonDaemonSet}
		}
	}
	// A pod that blocked above is judged no further by kubectl, so it blocks
	// even if it is a mirror pod.
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror && len(blocking) == 0 {
		return Verdict{Action: ActionSkip, Reason: ReasonMirror}
	}
	own(pod, o, weigh)
	if len(blocking) > 0 {
		return Verdict{Action: ActionBlock, Reason: blocking[0], Also: blocking[1:]}
	}
	return leaving(pod, o, consented)
}

// own weighs what is lost with a pod itself.
func own(pod *corev1.Pod, o Options, weigh func(r Reason, consent bool)) {
	if o.Self.Name != "" && o.Self.Name == pod.Name && o.Self.Namespace == pod.Namespace {
		weigh(ReasonSelf, false)
	}
	if kube.Finished(pod) {
		return
	}
	if kube.HasEmptyDir(pod) {
		weigh(ReasonLocalStorage, o.DeleteEmptyDirData)
	}
	if metav1.GetControllerOf(pod) == nil {
		weigh(ReasonUnmanaged, o.Force)
	}
}

// leaving is the verdict of a pod that may go.
func leaving(pod *corev1.Pod, o Options, consented []Reason) Verdict {
	v := Verdict{Action: ActionEvict, Reason: ReasonManaged, Also: consented}
	switch {
	case pod.DeletionTimestamp != nil && !Hastens(pod, o):
		v.Action, v.Reason = ActionWait, ReasonTerminating
		return v
	case kube.Finished(pod):
		v.Reason = ReasonFinished
	case len(consented) > 0:
		v.Reason, v.Also = consented[0], consented[1:]
	}
	if o.DisableEviction {
		v.Action = ActionDelete
	}
	return v
}

// Hastens reports whether asking again would end a terminating pod sooner: a
// shorter grace period than the one it is given now was asked for.
func Hastens(pod *corev1.Pod, o Options) bool {
	now := pod.DeletionGracePeriodSeconds
	return o.GracePeriodSeconds >= 0 && now != nil && int64(o.GracePeriodSeconds) < *now
}

// Overdue reports whether the pod should have been gone for longer than one
// wants to wait; deletionTimestamp is the end of the grace period.
func Overdue(pod *corev1.Pod, o Options, now time.Time) bool {
	limit := o.SkipWaitForDeleteTimeoutSeconds
	return limit > 0 && pod.DeletionTimestamp != nil && int(now.Sub(pod.DeletionTimestamp.Time).Seconds()) > limit
}

// owners is the chain of controllers of the pod, two links at most.
func (s *Snapshot) owners(pod *corev1.Pod) Owners {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return nil
	}
	chain := Owners{{Kind: ref.Kind, Name: ref.Name, UID: ref.UID}}
	if parent, ok := s.Parents[ref.UID]; ok && ref.Kind == "ReplicaSet" {
		chain = append(chain, Owner{Kind: parent.Kind, Name: parent.Name, UID: parent.UID})
	}
	return chain
}

// message is the verdict for a person.
func message(v Verdict, pod *corev1.Pod, o Options) string {
	words := v.Reason.text(v.Action, pod, o)
	for _, also := range v.Also {
		words += "; " + also.text(v.Action, pod, o)
	}
	return words
}

// Overdue is the verdict of a pod that became overdue while it was waited for.
func (v Verdict) Overdue(o Options) Verdict {
	v.Action, v.Reason, v.Also, v.Message = ActionSkip, ReasonOverdue, nil, ReasonOverdue.text(ActionSkip, nil, o)
	return v
}

// mostKind bounds the name of a kind in a sentence.
const mostKind = 63

// recreates reports whether a controller is one that Kubernetes itself has, and that makes
// another pod for each that goes. Others need not: a TaskRun of Tekton's or a step of a
// workflow ends with its pod. What becomes of a Job is said by its own policy.
func recreates(controller *metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(controller.APIVersion, "/")
	return slices.Contains([]string{"apps", "batch", "v1"}, group)
}

// text is one reason for a person, with the flag that overrides it.
func (r Reason) text(action Action, pod *corev1.Pod, o Options) string {
	blocked := action == ActionBlock
	switch r {
	case ReasonRunner:
		return "works on this node for kubectl lifecycle"
	case ReasonOverdue:
		return fmt.Sprintf("should have been gone for more than %d s, not waited for", o.SkipWaitForDeleteTimeoutSeconds)
	case ReasonDaemonSet:
		return text.Choose(blocked, "managed by a DaemonSet (--ignore-daemonsets leaves it where it is)", "managed by a DaemonSet, stays")
	case ReasonDaemonSetMissing:
		name := metav1.GetControllerOf(pod).Name
		return text.Choose(blocked, fmt.Sprintf("its DaemonSet %q does not exist (--force overrides)", name),
			fmt.Sprintf("its DaemonSet %q does not exist; nothing recreates it", name))
	case ReasonMirror:
		return "static pod, run by the kubelet from a file"
	case ReasonSelf:
		return "runs this command, which would end with it: run the command in a pod on another node, or outside of the cluster"
	case ReasonLocalStorage:
		return text.Choose(blocked, "has local data in an emptyDir (--delete-emptydir-data overrides)", "its emptyDir data is lost")
	case ReasonUnmanaged:
		return text.Choose(blocked, "declares no controller (--force overrides)", "declares no controller; nothing recreates it")
	case ReasonTerminating:
		return "is being deleted already"
	case ReasonFinished:
		return "has finished"
	case ReasonManaged:
		if ref := metav1.GetControllerOf(pod); ref != nil && !recreates(ref) {
			return fmt.Sprintf("its %s decides whether there is another one", text.Short(ref.Kind, mostKind))
		}
		return "its controller creates another one"
	}
	return string(r)
}
