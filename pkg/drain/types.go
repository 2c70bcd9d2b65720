// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// RunnerLabel marks the pods through which this program works on a node. They
// are never evicted; what is one beside the label, IsRunner says.
const RunnerLabel = "lifecycle.kubectl.io/runner"

// Options are the choices of "kubectl drain", with its meanings. The zero value
// stops every pod at once, without any grace; start from DefaultOptions.
type Options struct {
	// Force lets pods go that no controller will recreate.
	Force bool
	// IgnoreDaemonSets leaves the pods of DaemonSets where they are.
	IgnoreDaemonSets bool
	// DeleteEmptyDirData lets pods go whose emptyDir volumes are lost by it.
	DeleteEmptyDirData bool
	// DisableEviction deletes instead of evicting: no budget is asked.
	DisableEviction bool
	// GracePeriodSeconds is the time each pod gets to stop; negative means the
	// pod's own.
	GracePeriodSeconds int
	// Timeout bounds all of Evict; 0 means no limit.
	Timeout time.Duration
	// PodSelector limits the drain to pods with these labels; empty means all.
	PodSelector string
	// SkipWaitForDeleteTimeoutSeconds leaves alone what should have been gone
	// for more than this many seconds; 0 or less means to wait for all.
	SkipWaitForDeleteTimeoutSeconds int
	// ChunkSize is the number of objects per page of a list; 0 means one page.
	ChunkSize int64
	// PodTimeout bounds the time from a pod's first turn until it is gone; a pod
	// that takes longer is left, and the others go on. 0 means no limit.
	PodTimeout time.Duration
	// Order are label selectors: pods that match the first leave first, on all
	// nodes, and the next ones' turn comes when they are gone. Pods that match
	// none come last.
	Order []string
	// MaxParallel is how many nodes are drained at the same time: "3", or "25%"
	// of those that are to be drained, at least one; empty means one.
	MaxParallel string
	// OneZone lets only nodes of the same zone be drained at the same time.
	OneZone bool
	// RunnerNamespace is where the pods of runs are; empty means kube-system.
	RunnerNamespace string
	// WaitForReplacement keeps the next pod of a ReplicaSet or StatefulSet until
	// it has all its Ready pods again, and the drain's end as well.
	WaitForReplacement bool
}

// DefaultOptions are the defaults of "kubectl drain", one node after the other.
func DefaultOptions() Options {
	return Options{GracePeriodSeconds: -1, ChunkSize: 500, MaxParallel: "1"}
}

// Validate returns an error of class plan.Misused for values that make no
// sense. Negative SkipWaitForDeleteTimeoutSeconds are accepted, as kubectl
// does.
func (o Options) Validate() error {
	var errs []error
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("--timeout must not be negative, not %s", o.Timeout))
	}
	if o.PodTimeout < 0 {
		errs = append(errs, fmt.Errorf("--pod-timeout must not be negative, not %s", o.PodTimeout))
	}
	if _, err := o.Parallel(1); err != nil {
		errs = append(errs, err)
	}
	if _, err := o.stages(); err != nil {
		errs = append(errs, err)
	}
	if o.ChunkSize < 0 {
		errs = append(errs, fmt.Errorf("--chunk-size must not be negative, not %d", o.ChunkSize))
	}
	if _, err := labels.Parse(o.PodSelector); err != nil {
		errs = append(errs, fmt.Errorf("--pod-selector must be a valid label selector: %w", err))
	}
	return plan.As(plan.Misused, errors.Join(errs...))
}

// Parallel is how many of n nodes may be drained at the same time, at least one.
func (o Options) Parallel(n int) (int, error) {
	if o.MaxParallel == "" {
		return 1, nil
	}
	number, percent := strings.CutSuffix(o.MaxParallel, "%")
	value, err := strconv.Atoi(number)
	switch {
	case err != nil || value < 1 || percent && value > 100:
		return 0, fmt.Errorf("--max-parallel must be a number of nodes or a percentage of them, like 3 or 25%%, not %q", o.MaxParallel)
	case percent:
		value = value * n / 100
	}
	return max(value, 1), nil
}

// stages are the parsed selectors of Order.
func (o Options) stages() ([]labels.Selector, error) {
	var out []labels.Selector
	for _, text := range o.Order {
		selector, err := labels.Parse(text)
		if err != nil || selector.Empty() {
			return nil, fmt.Errorf("--order must list label selectors, and %q is none", text)
		}
		out = append(out, selector)
	}
	return out, nil
}

// Target says which nodes are meant: by their names, or by a label selector
// ("" with no names means none).
type Target struct {
	Names    []string
	Selector string
}

// Validate returns an error of class plan.Misused unless either names or a
// selector are given.
func (t Target) Validate() error {
	var err error
	switch {
	case len(t.Names) > 0 && t.Selector != "":
		err = errors.New("give nodes by name or by --selector, not both")
	case len(t.Names) == 0 && t.Selector == "":
		err = errors.New("give at least one node, or --selector")
	default:
		if _, bad := labels.Parse(t.Selector); bad != nil {
			err = fmt.Errorf("--selector must be a valid label selector: %w", bad)
		}
	}
	return plan.As(plan.Misused, err)
}

// Pod names one pod, and no other that may come to have its name.
type Pod struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       types.UID `json:"uid"`
}

// String is namespace/name.
func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// Owner is a controller.
type Owner struct {
	Kind string    `json:"kind"`
	Name string    `json:"name"`
	UID  types.UID `json:"uid,omitempty"`
}

// String is Kind/name.
func (o Owner) String() string { return o.Kind + "/" + o.Name }

// scaleCommand is the command that gives a workload so many replicas.
func (o Owner) scaleCommand(namespace string, replicas int) string {
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
	// ActionEvict asks through the eviction API, which heeds budgets.
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
	// ReasonLocalStorage: its emptyDir volumes are lost with it.
	ReasonLocalStorage Reason = "LocalStorage"
	// ReasonUnmanaged: nothing will create it anew.
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
	case ReasonRunner, ReasonMirror, ReasonTerminating, ReasonFinished, ReasonManaged:
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
	Budgets []Budget `json:"budgets,omitempty"`
}

// has reports whether r is among the reasons of the verdict.
func (v Verdict) has(r Reason) bool {
	return v.Reason == r || slices.Contains(v.Also, r)
}
