// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// Batch is the removal of several nodes: workers in waves, each wave under one
// account of the budgets, then control planes one at a time.
type Batch struct {
	// Workers and ControlPlanes are in the order in which they go.
	Workers, ControlPlanes []*Removal
	// MaxParallel is how many workers there are in a wave.
	MaxParallel int
	// Watch is told what happens, from several goroutines; nil for nothing.
	Watch plan.Observer

	// Warnings are about all nodes together.
	Warnings []string
	// Missing are names of nodes that there are not; Returned are pods that came
	// back to cordoned nodes.
	Missing  []string
	Returned []evict.Returned

	cluster runner.Cluster
	request Request
	// unfinished are those of the missing whose removal was interrupted at the very
	// end.
	unfinished []Unfinished
}

// NodeResult is what became of one node.
type NodeResult struct {
	Node string `json:"node"`
	// Removed is false for a node that is still there: Error says why, or it is
	// empty and its turn did not come.
	Removed bool              `json:"removed"`
	Verdict inventory.Verdict `json:"verdict,omitzero"`
	Seconds float64           `json:"seconds,omitempty"`
	Error   string            `json:"error,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	// Lingering are pods that the API still has although the node is gone.
	Lingering []departure.Lingering `json:"lingering,omitempty"`
}

// prepareAtOnce is how many nodes are read at the same time.
const prepareAtOnce = 8

// Select lists the nodes that match a label selector, by name; none is refused.
func Select(ctx context.Context, cluster runner.Cluster, selector string) ([]string, error) {
	list, err := cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return nil, plan.Refuse(fmt.Errorf("%w: none matches %q", kubenode.ErrNotFound, selector),
			"see the labels there are: kubectl get nodes --show-labels")
	}
	slices.Sort(names)
	return names, nil
}

// PrepareBatch reads everything about all nodes, and refuses all of them if one
// cannot be removed: half of what was asked for is not what was asked for. Nodes
// that there are not any more are Missing; if there is neither a node nor a removal
// to be finished, that is kubenode.ErrNotFound.
func PrepareBatch(ctx context.Context, cluster runner.Cluster, names []string, request Request) (*Batch, error) {
	all, errs := make([]*Removal, len(names)), make([]error, len(names))
	group := errgroup.Group{}
	group.SetLimit(prepareAtOnce)
	for i, name := range names {
		group.Go(func() error {
			all[i] = newRemoval(cluster, request, removal())
			all[i].ofBatch = true
			errs[i] = all[i].prepare(ctx, name)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	b := &Batch{cluster: cluster, request: request}
	for i, err := range errs {
		if errors.Is(err, kubenode.ErrNotFound) {
			b.Missing, errs[i], all[i] = append(b.Missing, names[i]), nil, nil
		}
	}
	all = slices.DeleteFunc(all, func(r *Removal) bool { return r == nil })
	if err := errors.Join(refusals(names, errs), b.findUnfinished(ctx)); err != nil {
		return nil, err
	}
	if len(all)+len(b.unfinished) == 0 {
		return nil, plan.Refuse(fmt.Errorf("%w: %s", kubenode.ErrNotFound, strings.Join(names, ", ")), kubenode.NoNodeHint)
	}
	for _, r := range all {
		if kubenode.IsControlPlane(r.Node) {
			b.ControlPlanes = append(b.ControlPlanes, r)
		} else {
			b.Workers = append(b.Workers, r)
		}
	}
	var err error
	if b.MaxParallel, err = request.Drain.Parallel(len(b.Workers)); err != nil {
		return nil, err
	}
	b.Warnings = b.denials(ctx)
	return b, b.keepsOne(ctx)
}

// denials are who may deny a cordon or an eviction: the same for all nodes, so it is
// read once, and each is named once.
func (b *Batch) denials(ctx context.Context) []string {
	var together drain.Decision
	for _, r := range b.All() {
		together.Nodes = append(together.Nodes, r.Drain.Nodes...)
		together.Verdicts = append(together.Verdicts, r.Drain.Verdicts...)
	}
	if len(together.Nodes) == 0 {
		return nil
	}
	return drain.ReadAdmission(ctx, b.cluster.Client).Warnings(together)
}

// findUnfinished looks for removals that were interrupted at the very end.
func (b *Batch) findUnfinished(ctx context.Context) error {
	var errs []error
	for _, name := range b.Missing {
		u, found, err := FindUnfinished(ctx, b.cluster, name)
		if found && err == nil {
			b.unfinished = append(b.unfinished, u)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// finish brings those to their end.
func (b *Batch) finish(ctx context.Context) (out []NodeResult) {
	for _, u := range b.unfinished {
		began := time.Now()
		left, err := u.Finish(ctx)
		o := NodeResult{Node: u.Node, Removed: err == nil, Seconds: time.Since(began).Seconds(), Lingering: left}
		if err != nil {
			o.Error, o.Hint = err.Error(), plan.HintOf(err)
		}
		out = append(out, o)
	}
	return out
}

// refusals joins what keeps nodes, each with its way out.
func refusals(names []string, errs []error) error {
	var texts, hints []string
	class := plan.Refused
	for i, err := range errs {
		if err == nil {
			continue
		}
		class = plan.ClassOf(err)
		texts = append(texts, fmt.Sprintf("node %s: %s", names[i], err))
		if hint := plan.HintOf(err); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return plan.As(class, plan.Hint(errors.New(strings.Join(texts, "\n")), "%s", strings.Join(hints, "\n")))
}

// keepsOne refuses to remove every control plane there is.
func (b *Batch) keepsOne(ctx context.Context) error {
	if len(b.ControlPlanes) < 2 {
		return nil
	}
	nodes, err := b.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "node-role.kubernetes.io/control-plane"})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(nodes.Items) <= len(b.ControlPlanes) {
		return plan.Refuse(errors.New("these are all control-plane nodes: removing the last one would end the cluster"), "leave one of them out")
	}
	return nil
}

// Unfinished are removals that were interrupted at the very end: they are brought
// there first.
func (b *Batch) Unfinished() []Unfinished { return b.unfinished }

// All are the removals in the order in which they go.
func (b *Batch) All() []*Removal { return slices.Concat(b.Workers, b.ControlPlanes) }
