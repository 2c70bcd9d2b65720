// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/controlplane"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// chooseSurvivor finds another control plane that is Ready, and refuses to give up
// one whose end would be the cluster's.
func (l *NodeLoss) chooseSurvivor(ctx context.Context) error {
	namespace := l.cluster.RunNamespace()
	needs := append(access.Carrier(namespace), access.Need{Verb: "create", Resource: "secrets", Namespace: namespace})
	if err := access.Require(ctx, l.cluster.Client, needs); err != nil {
		return err
	}
	leaving, err := controlplane.Read(ctx, l.cluster, l.Node)
	if err != nil {
		return err
	}
	warnings, err := leaving.Decide()
	if err != nil {
		return err
	}
	l.Warnings = append(l.Warnings, warnings...)
	at := slices.IndexFunc(leaving.Others, func(n corev1.Node) bool { return kube.NodeReady(&n) })
	l.survivor = &leaving.Others[at]
	return nil
}

// lockSteps let no other control plane go at the same time: two that are each given up
// or removed while the other is there still would leave together.
func (l *NodeLoss) lockSteps() []plan.Step {
	if l.survivor == nil {
		return nil
	}
	return []plan.Step{{ID: "lock", Title: "Lock the control planes: they go one at a time",
		Do: func(ctx context.Context, _ plan.Report) (err error) {
			l.unlock, err = l.cluster.HoldControlPlanes(ctx, l.Node, l.who)
			return err
		},
		Undo: func(ctx context.Context) error { return l.unlock(ctx) },
	}}
}

// deadMemberSteps are the first step of giving up a control plane: as long as its etcd
// member counts, one failure less ends the cluster.
func (l *NodeLoss) deadMemberSteps() []plan.Step {
	if l.survivor == nil {
		return nil
	}
	return []plan.Step{{ID: "etcd", Title: fmt.Sprintf("Take the member of %s out of the etcd cluster, through %s", l.Node.Name,
		l.survivor.Name), Do: l.removeDeadMember}}
}

// removeDeadMember has the program on the survivor's host decide and do it: only there are the
// certificates that etcd accepts.
func (l *NodeLoss) removeDeadMember(ctx context.Context, report plan.Report) error {
	facts, err := hostfacts.Read(ctx, l.cluster.Client, l.survivor)
	if err != nil {
		return err
	}
	task := inventory.Burial{Order: inventory.Order{Facts: facts}, Host: l.Node.Name}
	for _, a := range l.Node.Status.Addresses {
		task.Addresses = append(task.Addresses, a.Address)
	}
	input, err := json.Marshal(task)
	if err != nil {
		return fmt.Errorf("encode the task: %w", err)
	}
	raw, err := runner.RunOnce(ctx, l.cluster, l.survivor, runner.Question{Operation: wire.DeadMember, Input: input}, report)
	if err != nil {
		return err
	}
	var done inventory.Buried
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("decode the answer of node %s: %w", l.survivor.Name, err)
	}
	switch {
	case done.Cluster == "":
		report("%s runs no etcd: an external etcd is not touched", l.survivor.Name)
	case done.Member.ID == "":
		report("the etcd cluster has no member of it any more")
	default:
		report("member %s has left the etcd cluster", done.Member)
	}
	return nil
}
