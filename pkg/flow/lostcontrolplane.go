// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// chooseSurvivor finds another control plane that is Ready, and refuses to give up
// one whose end would be the cluster's.
func (l *Lost) chooseSurvivor(ctx context.Context) error {
	if err := allowed(ctx, l.cluster.Client, doorNeeds(namespaceOf(l.cluster))); err != nil {
		return err
	}
	leaving, err := readFarewell(ctx, l.cluster, l.Node)
	if err != nil {
		return err
	}
	warnings, err := leaving.decide()
	if err != nil {
		return err
	}
	l.Warnings = append(l.Warnings, warnings...)
	at := slices.IndexFunc(leaving.others, func(n corev1.Node) bool { return kube.NodeReady(&n) })
	l.survivor = &leaving.others[at]
	return nil
}

// burial is the first step of giving up a control plane: as long as its etcd
// member counts, one failure less ends the cluster.
func (l *Lost) burial() []plan.Step {
	if l.survivor == nil {
		return nil
	}
	return []plan.Step{{ID: "etcd", Title: fmt.Sprintf("Take the member of %s out of the etcd cluster, through %s", l.Node.Name, l.survivor.Name), Do: l.bury}}
}

// bury has the program on the survivor's host decide and do it: only there are the
// certificates that etcd accepts.
func (l *Lost) bury(ctx context.Context, report plan.Report) error {
	facts, err := hostFacts(ctx, l.cluster.Client, l.survivor)
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
	raw, err := runner.Ask(ctx, l.cluster, l.survivor, runner.Question{Operation: wire.Bury, Input: input}, report)
	if err != nil {
		return err
	}
	var done inventory.Buried
	if err := json.Unmarshal(raw, &done); err != nil {
		return fmt.Errorf("decode the answer of node %s: %w", l.survivor.Name, err)
	}
	switch {
	case done.Cluster == "":
		report("%s runs no etcd: one outside of the cluster is not looked at", l.survivor.Name)
	case done.Member.ID == "":
		report("the etcd cluster has no member of it any more")
	default:
		report("member %s has left the etcd cluster", done.Member)
	}
	return nil
}
