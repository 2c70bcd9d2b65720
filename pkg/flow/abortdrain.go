// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// AbortDrain takes a drain back: the Deployments that it changed are as they were, and
// the nodes that it cordoned take pods again. A node without a note of a drain was
// cordoned by a person, and stays so. It returns what was done, and what was
// left, in sentences.
func AbortDrain(ctx context.Context, client kubernetes.Interface, target drain.Target) (said []string, err error) {
	if err := target.Validate(); err != nil {
		return nil, err
	}
	nodes, err := drain.ReadNodes(ctx, client, target, drain.DefaultOptions().ChunkSize)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range nodes {
		names = append(names, nodes[i].Name)
	}
	measures, err := surge.Find(ctx, client, names)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range measures {
		text, err := surge.Revert(ctx, client, m)
		errs = append(errs, err)
		if err == nil && text != "" {
			said = append(said, text)
		}
	}
	for i := range nodes {
		text, err := uncordonOurs(ctx, client, &nodes[i])
		errs = append(errs, err)
		if text != "" {
			said = append(said, text)
		}
	}
	return said, errors.Join(errs...)
}

func uncordonOurs(ctx context.Context, client kubernetes.Interface, node *corev1.Node) (string, error) {
	note, ours := drain.NoteOf(node)
	switch {
	case !node.Spec.Unschedulable:
		return "node " + node.Name + " is not cordoned", nil
	case !ours:
		return "node " + node.Name + " stays cordoned: no drain of this plugin has cordoned it", nil
	case !note.Drain:
		return "node " + node.Name + " stays cordoned, as it was asked for " + note.String() + "; to end that: kubectl lifecycle uncordon " + text.Quote(node.Name), nil
	}
	if _, err := (drain.Scheduling{}).Apply(ctx, client, node.Name); err != nil {
		return "", err
	}
	return "node " + node.Name + " is schedulable again; it was cordoned " + note.String(), nil
}
