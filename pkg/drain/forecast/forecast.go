// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Forecast is how a drain would go, from what was read at one moment. What
// other clients do in that time is not in it.
type Forecast struct {
	// Taken is when the cluster was read.
	Taken time.Time      `json:"taken"`
	Nodes []NodeForecast `json:"nodes"`
	// Pods are all those on the nodes, sorted by namespace and name.
	Pods []PodForecast `json:"pods"`
	// Waves are the pods that leave together, in their order.
	Waves []Wave `json:"waves"`
	// Blockers are what keeps pods for which no wave comes, the worst first.
	Blockers []Blocker `json:"blockers,omitempty"`
	// Estimate is how long the waves take.
	Estimate Estimate `json:"estimate"`
	// Unconfirmed are the nodes whose kubelets have stopped to report: their pods stay
	// Terminating, and the drain waits for them. None if it was told not to wait.
	Unconfirmed []string `json:"unconfirmed,omitempty"`
	// Unschedulable are the pods whose successors would find no node.
	Unschedulable []Unschedulable `json:"unschedulable,omitempty"`
	// Losses are what is lost or down for a while although everything goes well.
	Losses []Loss `json:"losses,omitempty"`
	// Surges are what a surge that is asked for does for Deployments, or why it does not.
	Surges []Surge `json:"surges,omitempty"`
	// Admission are the policies and webhooks that may deny the drain.
	Admission []string `json:"admission,omitempty"`
	// Notes say what could not be found out.
	Notes []string `json:"notes,omitempty"`
	// Command is the drain that the forecast is about.
	Command string `json:"command"`
	// decision is what the forecast is about.
	decision drain.Decision
}

// NodeForecast is one node of a forecast.
type NodeForecast struct {
	drain.NodeState
	// Leave and Stay count its pods; Kept are those of Leave for which no wave
	// comes.
	Leave int `json:"leave"`
	Stay  int `json:"stay"`
	Kept  int `json:"kept"`
}

// Answer is what the API server would say if a pod were evicted at the moment of
// the reading.
type Answer string

// The answers.
const (
	// AnswerFree: yes, and no budget is charged.
	AnswerFree Answer = "Free"
	// AnswerSpend: yes, and its budget has one less to give.
	AnswerSpend Answer = "Spend"
	// AnswerClosed: no, for its budget.
	AnswerClosed Answer = "Closed"
	// AnswerSeveral: no, because several budgets match.
	AnswerSeveral Answer = "Several"
)

// PodForecast is one pod of a forecast.
type PodForecast struct {
	drain.Verdict
	// Answer is empty for pods that are not evicted.
	Answer Answer `json:"answer,omitempty"`
	// Wave is the one it leaves in, counted from 1; 0 if it does not leave.
	Wave int `json:"wave,omitempty"`
	// Kept says what keeps a pod that should leave: Budget, SeveralBudgets, Turn
	// or Replacement.
	Kept drain.Cause `json:"kept,omitempty"`
}

// Wave is what leaves together. The next wave begins when the pods that came for
// those of this one are Ready; in truth each budget goes its own pace.
type Wave struct {
	Number int         `json:"number"`
	Pods   []drain.Pod `json:"pods"`
	// Spent is what the wave takes of budgets.
	Spent []Spent `json:"spent,omitempty"`
}

// Spent is what one wave takes of one budget.
type Spent struct {
	Budget string `json:"budget"`
	Pods   int    `json:"pods"`
}

// Class says whether time helps against a blocker.
type Class string

// The classes.
const (
	// Permanent: no pod may go even with all of them healthy.
	Permanent Class = "permanent"
	// Pathological: the eviction API, or the disruption controller, cannot work
	// with what is there.
	Pathological Class = "pathological"
	// NoRoom: the pods that went before find no node, so the budget does not
	// come back.
	NoRoom Class = "no room"
	// Temporary: other pods are not Ready, and may become so.
	Temporary Class = "temporary"
)

// Blocker is one thing that keeps pods of one owner.
type Blocker struct {
	Class Class `json:"class"`
	// Why is one sentence.
	Why       string       `json:"why"`
	Namespace string       `json:"namespace"`
	Budgets   []pdb.Budget `json:"budgets"`
	Owners    drain.Owners `json:"owners,omitempty"`
	// Pods are those that it keeps.
	Pods []drain.Pod `json:"pods"`
	// Unready are other pods under the budget that are not Ready; at most a few.
	Unready []Unready `json:"unready,omitempty"`
	// Releases are what owns the budgets and the workload, and undoes a manual
	// edit.
	Releases []managedby.Release `json:"releases,omitempty"`
	// Remedies are what would unblock it, the gentlest first.
	Remedies []Remedy `json:"remedies"`
}

// Unready is a pod that a budget waits for.
type Unready struct {
	drain.Pod
	Node string `json:"node,omitempty"`
	Why  string `json:"why"`
}

// Remedy is a command that unblocks, and what it does.
type Remedy struct {
	Command string `json:"command"`
	Effect  string `json:"effect"`
}

// Unschedulable is a pod whose successor would stay Pending.
type Unschedulable struct {
	drain.Pod
	Node   string       `json:"node"`
	Owners drain.Owners `json:"owners,omitempty"`
	// Reasons are the scheduler's, each with the number of nodes.
	Reasons []string `json:"reasons"`
}

// LossKind says what is lost.
type LossKind string

// The kinds of losses.
const (
	// LossEmptyDir: data in an emptyDir goes with the pod.
	LossEmptyDir LossKind = "EmptyDir"
	// LossHostPath: the successor does not see what lies on this node's disk.
	LossHostPath LossKind = "HostPath"
	// LossLocalVolume: its volume is on this node; the successor waits for it.
	LossLocalVolume LossKind = "LocalVolume"
	// LossEphemeralVolume: a volume of its own ends with the pod; the successor gets a new one.
	LossEphemeralVolume LossKind = "EphemeralVolume"
	// LossUnmanaged: nothing recreates it.
	LossUnmanaged LossKind = "Unmanaged"
	// LossSingleReplica: the only pod of its workload, down until the successor
	// is Ready.
	LossSingleReplica LossKind = "SingleReplica"
	// LossAllReplicas: all Ready pods of a workload leave in one wave.
	LossAllReplicas LossKind = "AllReplicas"
	// LossJob: a Job, or an index of it, fails.
	LossJob LossKind = "Job"
	// LossUndisturbed: the pod asks by an annotation not to be disrupted.
	LossUndisturbed LossKind = "Undisturbed"
)

// Loss is what pods of one owner lose.
type Loss struct {
	Kind   LossKind     `json:"kind"`
	Owners drain.Owners `json:"owners,omitempty"`
	Pods   []drain.Pod  `json:"pods"`
	// Detail names volumes.
	Detail string `json:"detail,omitempty"`
}

// Kept counts the pods that should leave and for which no wave comes.
func (f Forecast) Kept() int {
	n := 0
	for _, node := range f.Nodes {
		n += node.Kept
	}
	return n
}

// Leaving counts the pods that have to leave.
func (f Forecast) Leaving() int {
	n := 0
	for _, node := range f.Nodes {
		n += node.Leave
	}
	return n
}

// Title names the nodes in a few words.
func (f Forecast) Title() string { return f.decision.Title() }

// Names are the names of the nodes.
func (f Forecast) Names() []string { return f.decision.Names() }

// Warnings are what a person should know that is not among the losses.
func (f Forecast) Warnings() []string {
	var back, silent []string
	for _, p := range f.Pods {
		if p.Tolerates {
			back = append(back, p.String())
		}
	}
	for _, n := range f.Nodes {
		if !n.Ready && n.Leave > 0 {
			silent = append(silent, n.Name)
		}
	}
	var out []string
	if len(back) > 0 {
		out = append(out, "pods that tolerate the cordon, so that their successors may come back: "+text.Some(back))
	}
	if len(silent) > 0 {
		out = append(out, "not Ready; if a kubelet is gone, its pods stay Terminating: "+text.Some(silent))
	}
	return append(append(out, f.Admission...), f.decision.Foreign()...)
}

// Refused are the pods for which the drain would be refused.
func (f Forecast) Refused() []drain.Verdict { return f.decision.Blocked() }

// Err is nil if the drain would end; of class plan.Refused if it would be
// refused; else of class plan.Found, naming what keeps pods, with the gentlest
// remedy of each as its hint.
func (f Forecast) Err() error {
	if err := f.decision.Refusal(); err != nil {
		return err
	}
	kept := f.Kept()
	switch {
	case kept == 0 && len(f.Unconfirmed) > 0:
		err := fmt.Errorf("the drain of %s would not end before the kubelet of %s answers again: it alone confirms that a pod has stopped",
			f.Title(), text.Some(f.Unconfirmed))
		return plan.As(plan.Found, plan.Hint(err,
			"if the host is dead, do not wait for its pods: --skip-wait-for-delete-timeout=SECONDS; or give it up: kubectl lifecycle remove "+
				"--node-lost"))
	case kept == 0:
		return nil
	}
	var hints []string
	for _, b := range f.Blockers {
		if len(b.Remedies) > 0 && !slices.Contains(hints, b.Remedies[0].Command) {
			hints = append(hints, b.Remedies[0].Command)
		}
	}
	noun := text.Choose(kept == 1, "1 pod", fmt.Sprintf("%d pods", kept))
	err := fmt.Errorf("the drain of %s would not end: %s would be kept", f.Title(), noun)
	if len(hints) > 0 {
		err = plan.Hint(err, "%s", strings.Join(text.Capped(hints), "\n"))
	}
	return plan.As(plan.Found, err)
}
