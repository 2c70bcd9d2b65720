// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// leaseWatch is how long the lease of a node is watched before its kubelet is called
// silent. Kubelets renew it every 10 s.
const leaseWatch = 25 * time.Second

// RequireDead refuses a node that shows a sign of life, and, unless a person has seen
// that its host is off, one of which that cannot be told. It watches for some time
// what the kubelet writes. The warning is empty where nothing is taken on a person's
// word.
func RequireDead(
	ctx context.Context, cluster runner.Cluster, node *corev1.Node, hostOff bool, report plan.Report,
) (warning string, err error) {
	client := cluster.Client
	const wayOut = "without --node-lost it is drained and its host is cleaned; if its host is to be given up all the same, switch it off first"
	if kubenode.KubeletAnswers(node) {
		return "", plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet reports (%s)", node.Name, kubenode.ReadyMessage(node)), wayOut)
	}
	heard, said, err := pulse{cluster, node}.lives(ctx)
	switch {
	case err != nil:
		return "", err
	case heard == doubt && !hostOff:
		return "", plan.Refuse(fmt.Errorf("whether the host of node %s is dead cannot be told: %s", node.Name, said),
			"go and see that it is switched off, then add --confirm-host-off\n"+
				"what a kubelet is asked through is 'get' on 'nodes/proxy': docs/rbac.yaml says how to allow it, and what that costs")
	case heard == doubt:
		warning = "that the host is switched off is taken from --confirm-host-off: " + said
	}
	before, err := readTraces(ctx, client, node.Name)
	if err != nil {
		return "", err
	}
	report("watching what the kubelet of node %s writes for %s", node.Name, leaseWatch)
	watched, cancel := context.WithTimeout(ctx, leaseWatch)
	defer cancel()
	err = kubenode.AwaitLease(watched, client, node.Name)
	switch {
	case err == nil:
		return "", plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just renewed its lease", node.Name), wayOut)
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case watched.Err() == nil:
		return "", fmt.Errorf("watch the lease of node %s: %w", node.Name, err)
	}
	after, err := readTraces(ctx, client, node.Name)
	if err != nil {
		return "", err
	}
	if what := after.stirred(before); what != "" {
		return "", plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just written %s", node.Name, what), wayOut)
	}
	return warning, nil
}
