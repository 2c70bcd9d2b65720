// SPDX-License-Identifier: Apache-2.0

package liveness

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// leaseWatch is how long the lease of a node is watched before its kubelet is called
// silent. Kubelets renew it every 10 s.
const leaseWatch = 25 * time.Second

// Silence is what was seen of a node that has shown no sign of life.
type Silence struct {
	// Warning says what was taken on a person's word; empty where nothing was.
	Warning string
	// WithoutKubelet says that a machine is up at the node's address, and that no kubelet
	// listens there: it was reset by hand, or installed again, or its kubelet is stopped.
	WithoutKubelet bool

	cluster runner.Cluster
	node    *corev1.Node
	// seen is what its kubelet had written.
	seen traces
}

// notLost is the way out of a node whose host lives.
const notLost = "without --node-lost it is drained and its host is cleaned; if its host is to be given up all the same, switch it off first"

// RequireDead refuses a node that shows a sign of life, and, unless a person has seen
// that its host is off, one of which that cannot be told. It watches for some time
// what the kubelet writes.
func RequireDead(ctx context.Context, cluster runner.Cluster, node *corev1.Node, hostOff bool, report plan.Report) (s Silence, err error) {
	client := cluster.Client
	if kubenode.KubeletAnswers(node) {
		return s, plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet reports (%s)", node.Name, kubenode.ReadyMessage(node)), notLost)
	}
	warning := ""
	found, err := pulse{cluster, node}.lives(ctx)
	switch {
	case err != nil:
		return s, err
	case found.refusal != nil && (found.heard == life || !hostOff):
		return s, found.refusal
	case found.heard == doubt && !hostOff:
		return s, plan.Refuse(fmt.Errorf("cannot determine whether the host of node %s is dead: %s", node.Name, found.said), "%s",
			doubtHint(found.said))
	case found.heard == doubt:
		warning = "--confirm-host-off says that the host is switched off, or runs no pod of this cluster any more: " + found.said
	}
	before, err := readTraces(ctx, client, node.Name)
	if err != nil {
		return s, err
	}
	report("watching what the kubelet of node %s writes for %s", node.Name, leaseWatch)
	if err := keepsSilent(ctx, client, node.Name); err != nil {
		return s, err
	}
	if s, err = Observe(ctx, cluster, node); err != nil {
		return s, err
	}
	s.Warning, s.WithoutKubelet = warning, found.heard == doubt && withoutKubelet(found.said)
	if what := s.seen.stirred(before); what != "" {
		return s, plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just written %s", node.Name, what), notLost)
	}
	return s, nil
}

// keepsSilent refuses a node whose kubelet renews its lease while that is watched.
func keepsSilent(ctx context.Context, client kubernetes.Interface, name string) error {
	watched, cancel := context.WithTimeout(ctx, leaseWatch)
	defer cancel()
	err := kubenode.AwaitLease(watched, client, name)
	switch {
	case err == nil:
		return plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just renewed its lease", name), notLost)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case watched.Err() == nil:
		return fmt.Errorf("watch the lease of node %s: %w", name, err)
	}
	return nil
}

// Observe notes what the kubelet of a node has written so far.
func Observe(ctx context.Context, cluster runner.Cluster, node *corev1.Node) (Silence, error) {
	seen, err := readTraces(ctx, cluster.Client, node.Name)
	return Silence{cluster: cluster, node: node, seen: seen}, err
}

// Still refuses a node that has shown a sign of life since it was called silent: between
// that and the deed a person was asked, and an etcd member taken out of its cluster.
func (s Silence) Still(ctx context.Context) error {
	name := s.node.Name
	node, err := s.cluster.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case err != nil:
		return fmt.Errorf("get node %s: %w", name, err)
	case node.UID != s.node.UID:
		return plan.Refuse(fmt.Errorf("node %s is another one by now: its host has joined again", name), notLost)
	case kubenode.KubeletAnswers(node):
		return plan.Refuse(fmt.Errorf("node %s is not lost any more: its kubelet reports (%s)", name, kubenode.ReadyMessage(node)), notLost)
	}
	now, err := readTraces(ctx, s.cluster.Client, name)
	if err != nil {
		return err
	}
	if what := now.stirred(s.seen); what != "" {
		return plan.Refuse(fmt.Errorf("node %s is not lost any more: its kubelet has written %s", name, what), notLost)
	}
	return nil
}

// doubtHint is the way out where it cannot be told whether a host is dead. Who may ask a
// kubelet and got no answer needs no right.
func doubtHint(said string) string {
	hint := "go and see that it is switched off, then add --confirm-host-off"
	if withoutKubelet(said) {
		hint = "if the host was reset by hand (kubeadm reset) or installed again: " + cleanedByHand + "\notherwise " + hint
	}
	if strings.Contains(said, "nodes/proxy") {
		hint += "\nwhat a kubelet is asked through is 'get' on 'nodes/proxy': docs/rbac.yaml says how to allow it, and what that costs"
	}
	return hint
}

// cleanedByHand is the way out of a host that lives and has no kubelet of this cluster any
// more: kubeadm reset leaves links, rules and files, and no credentials to come back with.
const cleanedByHand = "clean it with the program itself (kubectl lifecycle node-program; there: lifecycle-node clean), then add " +
	"--confirm-host-off, which says then that it runs no pod of this cluster"

// withoutKubelet reports whether a machine was met that is up, and on which no kubelet
// listens.
func withoutKubelet(said string) bool { return strings.Contains(said, "connection refused") }
