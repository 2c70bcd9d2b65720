// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// NodeState is a node that is to be drained.
type NodeState struct {
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
	// Ready is false if the kubelet does not answer, and so cannot confirm that
	// a pod has stopped.
	Ready bool `json:"ready"`
	// Silent is true if its kubelet has stopped to say how it is: nothing confirms then
	// that a pod has stopped, where one that is not Ready may well do so.
	Silent bool `json:"silent,omitempty"`
	// Cordoned is true if the node was unschedulable already.
	Cordoned bool   `json:"cordoned"`
	Zone     string `json:"zone,omitempty"`
	// Note is what an earlier cordon left; nil if there is none.
	Note *Note `json:"note,omitempty"`
	// Machine is the Machine of Cluster API that the node belongs to, "namespace/name".
	Machine string `json:"machine,omitempty"`
	// Foreign are signs by which another tool says that it works on the node.
	Foreign []string `json:"foreign,omitempty"`
}

// Foreign are the warnings of nodes on which another tool is at work.
func (d Decision) Foreign() []string {
	var out []string
	for _, n := range d.Nodes {
		if len(n.Foreign) > 0 {
			out = append(out, text.Line("another tool says that it works on node "+n.Name+": "+strings.Join(n.Foreign, ", ")))
		}
	}
	return out
}

// Decision is what is to become of the pods of some nodes.
type Decision struct {
	// Nodes are in the order in which they are drained.
	Nodes []NodeState `json:"nodes"`
	// Verdicts are sorted by namespace and name.
	Verdicts []Verdict `json:"pods"`
	// Scope says how the pods were read, and how they are to be watched.
	Scope Scope `json:"-"`
	// Staying are the claims of pods that stay.
	Staying []Claim `json:"-"`
}

// Names are the names of the nodes.
func (d Decision) Names() []string {
	out := make([]string, 0, len(d.Nodes))
	for _, n := range d.Nodes {
		out = append(out, n.Name)
	}
	return out
}

// Title names the nodes in a few words: "node w1", "nodes w1, w2, w3 and 4 more".
func (d Decision) Title() string {
	return text.Choose(len(d.Nodes) == 1, "node ", "nodes ") + text.Some(d.Names())
}

// ToCordon are the nodes that are schedulable still.
func (d Decision) ToCordon() []NodeState {
	var out []NodeState
	for _, n := range d.Nodes {
		if !n.Cordoned {
			out = append(out, n)
		}
	}
	return out
}

// NothingToDo reports whether every node is cordoned and empty.
func (d Decision) NothingToDo() bool { return len(d.ToCordon()) == 0 && len(d.ToEvict()) == 0 }

// Blocked returns the pods for which the whole drain is refused.
func (d Decision) Blocked() []Verdict { return d.With(ActionBlock) }

// ToEvict returns the pods that have to leave, including those that are on
// their way.
func (d Decision) ToEvict() []Verdict { return d.With(ActionEvict, ActionDelete, ActionWait) }

// Skipped returns the pods that stay.
func (d Decision) Skipped() []Verdict { return d.With(ActionSkip) }

// With returns the verdicts with one of the actions.
func (d Decision) With(actions ...Action) []Verdict {
	var out []Verdict
	for _, v := range d.Verdicts {
		if slices.Contains(actions, v.Action) {
			out = append(out, v)
		}
	}
	return out
}

// Refusal is the error of a decision that blocks, of class plan.Refused, with
// every reason, some of the pods, and the flags that unblock; nil if nothing
// blocks.
func (d Decision) Refusal() error {
	blocked := d.Blocked()
	if len(blocked) == 0 {
		return nil
	}
	var lines, flags []string
	for _, r := range []Reason{ReasonSelf, ReasonDaemonSet, ReasonDaemonSetMissing, ReasonLocalStorage, ReasonUnmanaged} {
		pods := having(blocked, r)
		if len(pods) == 0 {
			continue
		}
		lines = append(lines, r.of(len(pods))+": "+text.Some(pods))
		if flag := r.Flag(); flag != "" && !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	err := fmt.Errorf("%s cannot be drained:\n%s", d.Title(), strings.Join(text.Capped(lines), "\n"))
	var hints []string
	if len(having(blocked, ReasonSelf)) > 0 {
		hints = append(hints, "run this command in a pod on another node, or outside of the cluster")
	}
	if len(flags) > 0 {
		hints = append(hints, "if that is meant, add "+strings.Join(flags, " "))
	}
	return plan.Refuse(err, "%s", strings.Join(hints, "\n"))
}

// Warnings are what a person should know before the pods go, one line each.
func (d Decision) Warnings() []string {
	var out []string
	leaving := d.ToEvict()
	add := func(what string, pods []string) {
		if len(pods) > 0 {
			out = append(out, what+": "+text.Some(pods))
		}
	}
	add("leaving pods of DaemonSets where they are", having(d.Skipped(), ReasonDaemonSet))
	add("deleting the emptyDir data of pods", having(leaving, ReasonLocalStorage))
	add("evicting pods that nothing recreates", append(having(leaving, ReasonUnmanaged), having(leaving, ReasonDaemonSetMissing)...))
	add("not waiting for pods that are overdue", having(d.Skipped(), ReasonOverdue))
	out = append(out, costs(leaving)...)
	var back []string
	for _, v := range leaving {
		if v.Tolerates {
			back = append(back, v.String())
		}
	}
	add("pods that tolerate the cordon, so that their successors may come back", back)
	var several, never []string
	for _, v := range leaving {
		switch {
		case v.Action != ActionEvict || v.Reason == ReasonFinished:
		case len(v.Budgets) > 1:
			several = append(several, fmt.Sprintf("%s (%s)", v.Pod, pdb.Names(v.Budgets)))
		case len(v.Budgets) == 1 && v.Budgets[0].Never:
			never = append(never, fmt.Sprintf("%s (%s, %s)", v.Pod, v.Budgets[0].Name, v.Budgets[0].Rule))
		}
	}
	add("more than one PodDisruptionBudget matches, which the eviction API refuses while the pod runs", several)
	add("the PodDisruptionBudget never lets a healthy pod go", never)
	var silent []string
	for _, n := range d.Nodes {
		if !n.Ready && slices.ContainsFunc(leaving, func(v Verdict) bool { return v.Node == n.Name }) {
			silent = append(silent, n.Name)
		}
	}
	add("not Ready; if a kubelet is gone, its pods stay Terminating, and --skip-wait-for-delete-timeout=SECONDS does not wait for "+
		"those", silent)
	var machines []string
	for _, n := range d.Nodes {
		if n.Machine != "" {
			machines = append(machines, fmt.Sprintf("%s (machine %s)", n.Name, n.Machine))
		}
	}
	add("Cluster API manages the node, and replaces a machine whose Node is deleted or stays NotReady, where a MachineHealthCheck "+
		"covers it; to take the node away for good, delete its Machine in the management cluster instead; to work on it, annotate the "+
		"Machine with cluster.x-k8s.io/skip-remediation first", machines)
	return append(out, d.Foreign()...)
}

// costs are the Jobs that lose work and the pods that ask not to be disrupted,
// each once.
func costs(leaving []Verdict) []string {
	var out, stay []string
	seen := map[string]bool{}
	annotations := map[string]bool{}
	for _, v := range leaving {
		if v.JobLost && !seen[v.Job] {
			seen[v.Job] = true
			out = append(out, v.Job)
		}
		if v.AsksToStay != "" {
			stay, annotations[v.AsksToStay] = append(stay, v.String()), true
		}
	}
	out = text.Capped(out)
	if len(stay) > 0 {
		out = append(out, fmt.Sprintf("pods that ask not to be disrupted (annotation %s): %s", strings.Join(slices.Sorted(maps.Keys(annotations)),
			", "), text.Some(stay)))
	}
	return out
}

// of says how many pods there are and what they have in common.
func (r Reason) of(n int) string {
	noun := text.Choose(n == 1, "1 pod", fmt.Sprintf("%d pods", n))
	switch r {
	case ReasonSelf:
		return noun + " in which this command runs"
	case ReasonDaemonSet:
		return noun + " of a DaemonSet, which ignores cordons (left there with --ignore-daemonsets)"
	case ReasonDaemonSetMissing:
		return noun + " of a DaemonSet that does not exist (gone for good with --force)"
	case ReasonLocalStorage:
		return noun + " with local data in an emptyDir (lost with --delete-emptydir-data)"
	case ReasonUnmanaged:
		return noun + " without a controller (gone for good with --force)"
	case ReasonRunner, ReasonOverdue, ReasonMirror, ReasonTerminating, ReasonFinished, ReasonManaged:
	}
	return noun
}

// having returns the names of the pods with that reason.
func having(verdicts []Verdict, r Reason) []string {
	var out []string
	for _, v := range verdicts {
		if v.Has(r) {
			out = append(out, v.String())
		}
	}
	return out
}
