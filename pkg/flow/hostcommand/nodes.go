// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// drain drains the nodes of a wave. One that could not be emptied is left cordoned.
func (w *Work) drain(ctx context.Context, nodes []string) map[string]error {
	options := w.Drain
	options.MaxParallel = "100%" // of a wave
	d := &flow.Drain{Client: w.cluster.Client, Nodes: slices.Sorted(slices.Values(nodes)), Options: options, By: w.By,
		Reason: cordonReason, Back: "kubectl lifecycle uncordon"}
	decide := plan.Step{ID: "pods", Title: "Look at the pods of " + d.Title(), Do: func(ctx context.Context, _ plan.Report) error {
		return d.Decide(ctx)
	}}
	_, err := plan.Plan{Title: "Drain " + d.Title(), Steps: slices.Concat([]plan.Step{decide}, d.Steps())}.Run(ctx, w.watch)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, node := range d.Changed {
		w.cordoned[node] = true
	}
	for _, node := range w.Nodes {
		if slices.Contains(nodes, node.Name) && leftCordoned(node) {
			w.cordoned[node.Name] = true
		}
	}
	errs := map[string]error{}
	for _, node := range nodes {
		if err != nil && !d.Emptied(node) {
			errs[node] = err
			continue
		}
		now, unread := kubenode.Get(ctx, w.cluster.Client, node)
		if unread == nil {
			w.notes[node], unread = now.Annotations[drain.NoteAnnotation], mayRun(now)
		}
		if unread != nil {
			errs[node] = unread
		}
	}
	return errs
}

// mayRun refuses a node that is open again: pods may be on it. It is pure.
func mayRun(node *corev1.Node) error {
	if node.Spec.Unschedulable {
		return nil
	}
	return plan.As(plan.Broken, plan.Hint(fmt.Errorf("node %s was uncordoned while it was drained for the command", node.Name),
		"see who did that, then run the command again"))
}

// givesBack reports whether a cordon is still the one that was there when the node was drained:
// one that was made since is meant. It is pure.
func givesBack(now *corev1.Node, note string) bool {
	return now.Spec.Unschedulable && now.Annotations[drain.NoteAnnotation] == note
}

// cordonReason is in the note of a node that is cordoned for a command.
const cordonReason = "a command on the host"

// leftCordoned reports whether a node was cordoned for a command before, which failed or was
// interrupted: the next one that succeeds gives it back. It is pure.
func leftCordoned(node *corev1.Node) bool {
	note, is := drain.NoteOf(node)
	return is && node.Spec.Unschedulable && note.Drain && note.Reason == cordonReason
}

// giveBack waits until the node is Ready, and uncordons it if it was cordoned here.
func (w *Work) giveBack(ctx context.Context, name string) error {
	w.mu.Lock()
	cordoned := w.cordoned[name]
	w.mu.Unlock()
	ready := func(ctx context.Context, report plan.Report) error {
		return kubenode.AwaitReturn(ctx, w.cluster.Client, name, report)
	}
	steps := []plan.Step{{ID: "ready/" + name, Title: "Wait until node " + name + " is Ready", Do: ready}, {
		ID: "uncordon/" + name, Title: "Uncordon " + name,
		Needed: func(context.Context) (bool, error) { return cordoned, nil },
		Do: func(ctx context.Context, report plan.Report) error {
			now, err := kubenode.Get(ctx, w.cluster.Client, name)
			if err != nil {
				return err
			}
			if now.Spec.Unschedulable && !givesBack(now, w.noted(name)) {
				report("node/%s stays cordoned: the note of its cordon was changed since it was drained", name)
				return nil
			}
			_, err = drain.Scheduling{}.Apply(ctx, w.cluster.Client, name)
			if err == nil {
				w.mu.Lock()
				defer w.mu.Unlock()
				delete(w.cordoned, name)
			}
			return err
		}}}
	if !w.wasReady(name) { // it was not before either: a network may be missing
		steps = steps[1:]
	}
	_, err := plan.Plan{Title: "Give back " + name, Steps: steps}.Run(ctx, w.watch)
	return err
}

func (w *Work) noted(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notes[name]
}

func (w *Work) wasReady(name string) bool {
	return slices.ContainsFunc(w.Nodes, func(n *corev1.Node) bool { return n.Name == name && kube.NodeReady(n) })
}
