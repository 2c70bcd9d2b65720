// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Unfinished is a removal whose Node is gone and whose record is still there: it
// was interrupted, or pods lingered.
type Unfinished struct {
	Node string
	// Pods is how many are still said to run there.
	Pods int

	client kubernetes.Interface
	record runner.Record
}

// FindUnfinished looks for the removal of a node that there is no more; found is
// false where there is none. It only reads. A run that has not come to its end is
// refused.
func FindUnfinished(ctx context.Context, cluster runner.Cluster, name string) (u Unfinished, found bool, err error) {
	rec, found, err := runner.Get(ctx, cluster, name)
	if err != nil || !found {
		return u, false, err
	}
	if rec.State.Operation != wire.Remove || rec.State.Phase != wire.Finished {
		return u, false, plan.Refuse(fmt.Errorf("%w: %s, and its Node is gone", runner.ErrBusy, rec.State.Describe()),
			"follow it: kubectl lifecycle runs follow %s", text.Quote(name))
	}
	pods, err := kubenode.PodsOn(ctx, cluster.Client, name)
	return Unfinished{Node: name, Pods: len(pods), client: cluster.Client, record: rec}, true, err
}

// FindOrphans looks for pods of a node that there is no more, without the record of
// a run: those of one that was given up. It only reads.
func FindOrphans(ctx context.Context, cluster runner.Cluster, name string) (u Unfinished, found bool, err error) {
	pods, err := kubenode.PodsOn(ctx, cluster.Client, name)
	return Unfinished{Node: name, Pods: len(pods), client: cluster.Client}, len(pods) > 0, err
}

// Finish deletes the pods that are still said to run there, and the record. While
// pods linger the record stays, and they are returned.
func (u Unfinished) Finish(ctx context.Context) ([]departure.Lingering, error) {
	return endGone(ctx, u.client, u.Node, u.record)
}

// endGone deletes the pods that are still said to run on a Node that is gone, and
// then the record, unless some of them linger. The name is the one that was asked
// for: what the record says is the host's own word.
func endGone(ctx context.Context, client kubernetes.Interface, name string, rec runner.Record) ([]departure.Lingering, error) {
	left, err := departure.ClearPods(ctx, client, name, func(string, ...any) {})
	if err != nil || len(left) > 0 {
		return left, err
	}
	if rec.Name == "" {
		return nil, nil
	}
	return nil, runner.End(ctx, client, rec)
}
