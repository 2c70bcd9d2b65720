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
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Many is the removal of several nodes: workers in waves, each wave under one
// account of the budgets, then control planes one at a time.
type Many struct {
	// Workers and ControlPlanes are in the order in which they go.
	Workers, ControlPlanes []*Removal
	// MaxParallel is how many workers there are in a wave.
	MaxParallel int
	// Watch is told what happens, from several goroutines; nil for nobody.
	Watch plan.Observer

	// Missing are names of nodes that there are not; Returned are pods that came
	// back to cordoned nodes.
	Missing  []string
	Returned []evict.Returned

	cluster runner.Cluster
	opts    RemoveOptions
	// unfinished are those of the missing whose removal was interrupted at the very
	// end.
	unfinished []Unfinished
}

// RemoveOutcome is what became of one node.
type RemoveOutcome struct {
	Node string `json:"node"`
	// Removed is false for a node that is still there: Error says why, or it is
	// empty and its turn did not come.
	Removed bool              `json:"removed"`
	Verdict inventory.Verdict `json:"verdict,omitzero"`
	Seconds float64           `json:"seconds,omitempty"`
	Error   string            `json:"error,omitempty"`
	Hint    string            `json:"hint,omitempty"`
	// Lingering are pods that the API still has although the node is gone.
	Lingering []Lingering `json:"lingering,omitempty"`
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
		return nil, plan.Refuse(fmt.Errorf("%w: none matches %q", ErrNoNode, selector), "see the labels there are: kubectl get nodes --show-labels")
	}
	slices.Sort(names)
	return names, nil
}

// PrepareMany reads everything about all nodes, and refuses all of them if one
// cannot be removed: half of what was asked for is not what was asked for. Nodes
// that there are not any more are Missing; if there is neither a node nor a removal
// to be finished, that is ErrNoNode.
func PrepareMany(ctx context.Context, cluster runner.Cluster, names []string, opts RemoveOptions) (*Many, error) {
	opts.Drain.RunnerNamespace = cluster.Namespace
	all, errs := make([]*Removal, len(names)), make([]error, len(names))
	group := errgroup.Group{}
	group.SetLimit(prepareAtOnce)
	for i, name := range names {
		group.Go(func() error {
			all[i], errs[i] = PrepareRemove(ctx, cluster, name, opts)
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	m := &Many{cluster: cluster, opts: opts}
	for i, err := range errs {
		if errors.Is(err, ErrNoNode) {
			m.Missing, errs[i], all[i] = append(m.Missing, names[i]), nil, nil
		}
	}
	all = slices.DeleteFunc(all, func(r *Removal) bool { return r == nil })
	if err := errors.Join(refusals(names, errs), m.findUnfinished(ctx)); err != nil {
		return nil, err
	}
	if len(all)+len(m.unfinished) == 0 {
		return nil, plan.Refuse(fmt.Errorf("%w: %s", ErrNoNode, strings.Join(names, ", ")), "see which there are: kubectl get nodes")
	}
	for _, r := range all {
		if isControlPlane(r.Node) {
			m.ControlPlanes = append(m.ControlPlanes, r)
		} else {
			m.Workers = append(m.Workers, r)
		}
	}
	var err error
	if m.MaxParallel, err = opts.Drain.Parallel(len(m.Workers)); err != nil {
		return nil, err
	}
	m.opts.Drain.MaxParallel = "100%" // of a wave
	return m, m.keepsOne(ctx)
}

// findUnfinished looks for removals that were interrupted at the very end.
func (m *Many) findUnfinished(ctx context.Context) error {
	var errs []error
	for _, name := range m.Missing {
		u, found, err := FindUnfinished(ctx, m.cluster, name)
		if found && err == nil {
			m.unfinished = append(m.unfinished, u)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// finish brings those to their end.
func (m *Many) finish(ctx context.Context) (out []RemoveOutcome) {
	for _, u := range m.unfinished {
		began := time.Now()
		left, err := u.Finish(ctx)
		o := RemoveOutcome{Node: u.Node, Removed: err == nil, Seconds: time.Since(began).Seconds(), Lingering: left}
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
func (m *Many) keepsOne(ctx context.Context) error {
	if len(m.ControlPlanes) < 2 {
		return nil
	}
	nodes, err := m.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "node-role.kubernetes.io/control-plane"})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	if len(nodes.Items) <= len(m.ControlPlanes) {
		return plan.Refuse(errors.New("these are all control-plane nodes: the cluster would end with the last"), "leave one of them out")
	}
	return nil
}

// Unfinished are removals that were interrupted at the very end: they are brought
// there first.
func (m *Many) Unfinished() []Unfinished { return m.unfinished }

// All are the removals in the order in which they go.
func (m *Many) All() []*Removal { return slices.Concat(m.Workers, m.ControlPlanes) }

// Run removes the nodes and returns what became of each, in their order. One
// that fails keeps neither the others of its wave nor the next waves from going
// on; it stays as a removal of it alone would have left it.
func (m *Many) Run(ctx context.Context) []RemoveOutcome {
	if m.Watch == nil {
		m.Watch = plan.Discard
	}
	m.Watch = naming{m.Watch}
	out := make(map[string]*RemoveOutcome)
	for _, r := range m.All() {
		out[r.Node.Name] = &RemoveOutcome{Node: r.Node.Name}
	}
	cordoned := m.cordon(ctx, out)
	for wave := range slices.Chunk(m.Workers, max(m.MaxParallel, 1)) {
		if ctx.Err() != nil {
			break
		}
		m.wave(ctx, wave, cordoned, out)
	}
	for _, r := range m.ControlPlanes {
		if ctx.Err() != nil {
			break
		}
		r.Watch = m.Watch
		began := time.Now()
		_, err := r.Plan().Run(ctx, m.Watch)
		out[r.Node.Name].end(r, began, err)
	}
	list := m.finish(ctx)
	for _, r := range m.All() {
		o := out[r.Node.Name]
		if !o.Removed && o.Error == "" && cordoned[o.Node] {
			o.Hint = "its turn did not come, and it is cordoned; open it again: kubectl lifecycle uncordon " + text.Quote(o.Node)
		}
		list = append(list, *o)
	}
	return list
}

// naming says of each event of a host whose it is: several speak at once.
type naming struct{ to plan.Observer }

// Observe hands an event on.
func (n naming) Observe(e plan.Event) {
	if e.Host != "" {
		e.Title = e.Host + ": " + e.Title
		if e.Message != "" {
			e.Message = e.Host + ": " + e.Message
		}
	}
	n.to.Observe(e)
}

func (o *RemoveOutcome) end(r *Removal, began time.Time, err error) {
	o.Seconds, o.Verdict, o.Lingering = time.Since(began).Seconds(), r.Verdict, r.Lingering
	o.Removed = err == nil
	if err != nil {
		o.Error, o.Hint = err.Error(), plan.HintOf(err)
	}
}

// cordon closes all workers before the first is drained, so that no pod goes
// from one to the next. It returns those that were open.
func (m *Many) cordon(ctx context.Context, out map[string]*RemoveOutcome) map[string]bool {
	cordoned := map[string]bool{}
	if len(m.Workers) == 0 {
		return cordoned
	}
	_, _ = plan.Plan{Title: "Remove nodes", Steps: []plan.Step{{
		ID: "cordon", Title: fmt.Sprintf("Cordon %d nodes", len(m.Workers)),
		Do: func(ctx context.Context, _ plan.Report) error {
			for _, r := range m.Workers {
				if r.hostUnderWay() {
					continue
				}
				changed, err := drain.Scheduling{Unschedulable: true, Note: r.note()}.Apply(ctx, m.cluster.Client, r.Node.Name)
				cordoned[r.Node.Name] = changed
				if err != nil {
					out[r.Node.Name].Error = err.Error()
				}
			}
			return nil
		},
	}}}.Run(ctx, m.Watch)
	return cordoned
}
