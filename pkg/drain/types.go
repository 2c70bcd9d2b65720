// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Pod names one pod, and no other that may come to have its name.
type Pod struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
}

// String is namespace/name.
func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// Before reports whether the pod comes first by namespace and name.
func (p Pod) Before(other Pod) bool {
	if p.Namespace != other.Namespace {
		return p.Namespace < other.Namespace
	}
	return p.Name < other.Name
}

// Owner is a controller.
type Owner struct {
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	UID  types.UID `json:"uid,omitempty"`
}

// String is Kind/name.
func (o Owner) String() string { return o.Kind + "/" + o.Name }

// ScaleCommand is the command that gives a workload so many replicas.
func (o Owner) ScaleCommand(namespace string, replicas int) string {
	return text.Command("kubectl", "-n", namespace, "scale", strings.ToLower(o.Kind)+"/"+o.Name, "--replicas="+strconv.Itoa(replicas))
}

// Owners is the chain of controllers from a pod upwards, as far as it is known.
type Owners []Owner

// String is "ReplicaSet/web-7c → Deployment/web", or "no controller".
func (o Owners) String() string {
	if len(o) == 0 {
		return "no controller"
	}
	names := make([]string, 0, len(o))
	for _, owner := range o {
		names = append(names, owner.String())
	}
	return strings.Join(names, " → ")
}

// Action is what is done about one pod.
type Action string

// The actions.
const (
	// ActionEvict asks through the eviction API, which respects budgets.
	ActionEvict Action = "evict"
	// ActionDelete deletes, because evictions are disabled.
	ActionDelete Action = "delete"
	// ActionWait does nothing but wait: the pod is being deleted already.
	ActionWait Action = "wait"
	// ActionSkip leaves the pod on the node.
	ActionSkip Action = "skip"
	// ActionBlock refuses the whole drain.
	ActionBlock Action = "block"
)

// Reason says why an Action was chosen.
type Reason string

// The reasons, in the order in which they are looked at.
const (
	// ReasonRunner: the pod is one of this program's own.
	ReasonRunner Reason = "Runner"
	// ReasonOverdue: deleted longer ago than one wants to wait for.
	ReasonOverdue Reason = "Overdue"
	// ReasonDaemonSet: a DaemonSet would put it back at once.
	ReasonDaemonSet Reason = "DaemonSet"
	// ReasonDaemonSetMissing: its DaemonSet does not exist.
	ReasonDaemonSetMissing Reason = "DaemonSetMissing"
	// ReasonMirror: the kubelet runs it from a file; the API cannot stop it.
	ReasonMirror Reason = "Mirror"
	// ReasonSelf: this program runs in it.
	ReasonSelf Reason = "Self"
	// ReasonLocalStorage: its emptyDir volumes are lost with it.
	ReasonLocalStorage Reason = "LocalStorage"
	// ReasonUnmanaged: nothing recreates it.
	ReasonUnmanaged Reason = "Unmanaged"
	// ReasonTerminating: it is being deleted already.
	ReasonTerminating Reason = "Terminating"
	// ReasonFinished: it has run to its end.
	ReasonFinished Reason = "Finished"
	// ReasonManaged: its controller creates another one elsewhere.
	ReasonManaged Reason = "Managed"
)

// Flag is the flag that turns a blocking reason into consent; empty if there
// is none.
func (r Reason) Flag() string {
	switch r {
	case ReasonDaemonSet:
		return "--ignore-daemonsets"
	case ReasonLocalStorage:
		return "--delete-emptydir-data"
	case ReasonUnmanaged, ReasonDaemonSetMissing:
		return "--force"
	case ReasonOverdue:
		return "--skip-wait-for-delete-timeout"
	case ReasonSelf, ReasonRunner, ReasonMirror, ReasonTerminating, ReasonFinished, ReasonManaged:
	}
	return ""
}

// Verdict is what is to become of one pod, and why.
type Verdict struct {
	Pod
	Node   string `json:"node"`
	Action Action `json:"action"`
	// Reason decided; Also are further reasons that block or warn as well.
	Reason  Reason   `json:"reason"`
	Also    []Reason `json:"also,omitempty"`
	Message string   `json:"message"`
	Owners  Owners   `json:"owners,omitempty"`
	// Stage is the place of the pod in Options.Order: 0 goes first.
	Stage int `json:"stage,omitempty"`
	// Tolerates is true if the pod's successor may come to the cordoned node.
	Tolerates bool `json:"tolerates,omitempty"`
	// Job says what becomes of the Job that the pod is of, and JobLost is true if
	// work of it is lost: it fails, or an index of it does.
	Job     string `json:"job,omitempty"`
	JobLost bool   `json:"jobLost,omitempty"`
	// AsksToStay is the annotation by which the pod asks not to be disrupted.
	AsksToStay string `json:"asksToStay,omitempty"`
	// Budgets are those whose selectors match the pod, whether or not it is
	// one that they protect now.
	Budgets []pdb.Budget `json:"budgets,omitempty"`
}

// Has reports whether r is among the reasons of the verdict.
func (v Verdict) Has(r Reason) bool {
	return v.Reason == r || slices.Contains(v.Also, r)
}
