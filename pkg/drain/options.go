// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

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
	// Self is the pod in which this program runs; empty outside of a cluster. It is not
	// evicted: the drain would end with it, half done (Mellanox/network-operator#381).
	Self types.NamespacedName
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
			return nil, fmt.Errorf("--order must list label selectors; %q is not one", text)
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

// ErrTimeout is the cause that ends a run at Options.Timeout.
var ErrTimeout = errors.New("drain timeout")

// Within limits ctx to a drain's timeout, if there is one.
func Within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	}
	return context.WithCancel(ctx)
}
