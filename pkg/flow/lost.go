// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/detach"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// vigil is how long the lease of a node is watched before its kubelet is called
// silent. Kubelets renew it every 10 s.
const vigil = 25 * time.Second

// Lost is the farewell to a node whose host is dead, read and decided.
type Lost struct {
	Node *corev1.Node
	// Drain says which pods it has; all of them are given up.
	Drain drain.Decision
	// Facts are what the cluster knows about the host, for whoever cleans it
	// should it come back. Of big clusters the nodes' addresses are left out.
	Facts inventory.Facts
	// Warnings are what needs care once the node is gone.
	Warnings []string
	// Lingering are pods that the API still has after the Node is gone.
	Lingering []Lingering

	// survivor is the control plane that takes the etcd member of a dead one out
	// of its cluster; nil for a worker.
	survivor *corev1.Node
	cluster  runner.Cluster
	timeout  time.Duration
}

// LostOptions are the choices about a node whose host is dead.
type LostOptions struct {
	// Timeout bounds each wait; zero means none.
	Timeout time.Duration
	// HostOff says that a person has seen that the host is switched off. It counts
	// only where the cluster cannot tell; a sign of life outweighs it.
	HostOff bool
}

// PrepareLost reads everything, and refuses a node that shows any sign of life,
// for two hosts may then write to one volume: one whose Ready condition is not
// Unknown, one whose host is another Node by now, one whose kubelet answers through
// the API server, one that renews its lease or writes anything else within the next
// 25 s. The clocks of two machines are not compared. That a kubelet could not be
// asked is not silence: it needs LostOptions.HostOff. What cannot be seen at all is a
// host that works and is cut off from the cluster; only a person can.
func PrepareLost(ctx context.Context, cluster runner.Cluster, name string, opts LostOptions, report plan.Report) (*Lost, error) {
	client := cluster.Client
	node, err := GetNode(ctx, client, name)
	if err != nil {
		return nil, err
	}
	if err := RequireKubeadm(ctx, client, node); err != nil {
		return nil, err
	}
	if err := allowed(ctx, client, lostNeeds(namespaceOf(cluster))); err != nil {
		return nil, err
	}
	l := &Lost{Node: node, Warnings: departureWarnings(node), cluster: cluster, timeout: opts.Timeout}
	if isControlPlane(node) {
		if err := l.chooseSurvivor(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.silent(ctx, opts.HostOff, report); err != nil {
		return nil, err
	}
	if l.Facts, err = hostFacts(ctx, client, node); err != nil {
		return nil, err
	}
	l.Facts = brief(l.Facts)
	options := drain.DefaultOptions()
	options.RunnerNamespace = cluster.Namespace
	options.Force, options.IgnoreDaemonSets, options.DeleteEmptyDirData = true, true, true
	snapshot, err := drain.Survey(ctx, client, drain.Target{Names: []string{name}}, options)
	if err != nil {
		return nil, err
	}
	l.Drain = drain.Decide(snapshot, options)
	return l, nil
}

// brief makes facts that a person can paste: what there is of every node is left
// out where there are many.
func brief(facts inventory.Facts) inventory.Facts {
	const many = 16
	if len(facts.NodeIPs) > many {
		facts.NodeIPs = nil
	}
	if len(facts.Announced) > many {
		facts.Announced = nil
	}
	if len(facts.PodCIDRs) > many {
		facts.PodCIDRs = wide(facts.PodCIDRs)
	}
	return facts
}

// wide leaves out networks that are part of another.
func wide(cidrs []string) []string {
	var all []netip.Prefix
	for _, text := range cidrs {
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p)
		}
	}
	var out []string
	for _, p := range all {
		inside := slices.ContainsFunc(all, func(q netip.Prefix) bool { return q.Bits() < p.Bits() && q.Contains(p.Addr()) })
		if !inside {
			out = append(out, p.String())
		}
	}
	return out
}

func lostNeeds(namespace string) []need {
	return append(drainNeeds(),
		need{verb: "delete", resource: "nodes"}, need{verb: "watch", resource: "nodes"}, need{verb: "delete", resource: "pods"}, need{verb: "get", resource: "persistentvolumes"},
		need{verb: "list", group: "storage.k8s.io", resource: "volumeattachments"}, need{verb: "watch", group: "storage.k8s.io", resource: "volumeattachments"},
		need{verb: "get", group: "coordination.k8s.io", resource: "leases", namespace: corev1.NamespaceNodeLease},
		need{verb: "list", group: "coordination.k8s.io", resource: "leases", namespace: corev1.NamespaceNodeLease},
		need{verb: "watch", group: "coordination.k8s.io", resource: "leases", namespace: corev1.NamespaceNodeLease},
		need{verb: "get", resource: "secrets", namespace: namespace}, need{verb: "delete", resource: "secrets", namespace: namespace})
}

// silent refuses a node that shows a sign of life, and, unless a person has seen
// that its host is off, one of which that cannot be told.
func (l *Lost) silent(ctx context.Context, hostOff bool, report plan.Report) error {
	node, client := l.Node, l.cluster.Client
	const wayOut = "without --node-lost it is drained and its host is cleaned; if its host is to be given up all the same, switch it off first"
	if kubeletAnswers(node) {
		return plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet reports (%s)", node.Name, readyMessage(node)), wayOut)
	}
	heard, said, err := pulse{l.cluster, node}.lives(ctx)
	switch {
	case err != nil:
		return err
	case heard == doubt && !hostOff:
		return plan.Refuse(fmt.Errorf("whether the host of node %s is dead cannot be told: %s", node.Name, said),
			"go and see that it is switched off, then add --confirm-host-off\n"+
				"what a kubelet is asked through is 'get' on 'nodes/proxy': docs/rbac.yaml says how to allow it, and what that costs")
	case heard == doubt:
		l.Warnings = append(l.Warnings, "that the host is switched off is taken from --confirm-host-off: "+said)
	}
	before, err := readTraces(ctx, client, node.Name)
	if err != nil {
		return err
	}
	report("watching what the kubelet of node %s writes for %s", node.Name, vigil)
	watched, cancel := context.WithTimeout(ctx, vigil)
	defer cancel()
	err = awaitLease(watched, client, node.Name)
	switch {
	case err == nil:
		return plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just renewed its lease", node.Name), wayOut)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case watched.Err() == nil:
		return fmt.Errorf("watch the lease of node %s: %w", node.Name, err)
	}
	after, err := readTraces(ctx, client, node.Name)
	if err != nil {
		return err
	}
	if what := after.stirred(before); what != "" {
		return plan.Refuse(fmt.Errorf("node %s is not lost: its kubelet has just written %s", node.Name, what), wayOut)
	}
	return nil
}

// Plan is the farewell, step by step.
func (l *Lost) Plan() plan.Plan {
	name := l.Node.Name
	return plan.Plan{
		Title: "Give up node " + name + ", whose host is dead",
		Steps: append(l.burial(),
			plan.Step{ID: "cordon", Title: "Cordon " + name, Do: l.cordon},
			plan.Step{ID: "taint", Title: "Declare " + name + " out of service", Do: l.taint},
			plan.Step{ID: "pods", Title: fmt.Sprintf("Give up its %d pods", len(l.Drain.ToEvict())), Do: l.awaitPods},
			plan.Step{ID: "volumes", Title: "Wait until its volumes are detached", Do: l.volumes},
			plan.Step{ID: "node", Title: nodeTitle(l.Node), Do: l.delete},
			plan.Step{ID: "leftovers", Title: "Delete what is left of its pods", Do: l.clearPods},
			plan.Step{ID: "record", Title: "Delete the run record", Needed: l.recorded, Do: l.end},
		),
		Notes: []string{
			"no budget is heeded: the pods do not run any more",
			"if the host works and is only cut off, its pods still write to their volumes: make sure that it is switched off",
			"its host is not cleaned",
		},
	}
}

func (l *Lost) cordon(ctx context.Context, _ plan.Report) error {
	_, err := drain.Scheduling{Unschedulable: true}.Apply(ctx, l.cluster.Client, l.Node.Name)
	return err
}

// taint has the control plane delete the pods by force and detach their volumes
// at once (KEP-2268, non-graceful node shutdown).
func (l *Lost) taint(ctx context.Context, _ plan.Report) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return l.taintOnce(ctx) })
}

func (l *Lost) taintOnce(ctx context.Context) error {
	nodes := l.cluster.Client.CoreV1().Nodes()
	node, err := nodes.Get(ctx, l.Node.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	out := corev1.Taint{Key: corev1.TaintNodeOutOfService, Value: "nodeshutdown", Effect: corev1.TaintEffectNoExecute}
	for _, taint := range node.Spec.Taints {
		if taint.MatchTaint(&out) {
			return nil
		}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": l.Node.UID, "resourceVersion": node.ResourceVersion},
		"spec":     map[string]any{"taints": append(node.Spec.Taints, out)},
	})
	if err != nil {
		return err
	}
	_, err = nodes.Patch(ctx, l.Node.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// awaitPods waits until the pods that nothing lets stay are gone. Those of
// DaemonSets and of the host itself end with the Node.
func (l *Lost) awaitPods(ctx context.Context, report plan.Report) error {
	options := drain.DefaultOptions()
	options.RunnerNamespace = l.cluster.Namespace
	options.Force, options.IgnoreDaemonSets, options.DeleteEmptyDirData, options.DisableEviction = true, true, true, true
	options.GracePeriodSeconds, options.Timeout = 0, l.timeout
	// One that a finalizer holds is looked at again when the Node is gone, and named.
	options.SkipWaitForDeleteTimeoutSeconds = 60
	decision, err := drain.Again(ctx, l.cluster.Client, drain.Target{Names: []string{l.Node.Name}}, options)
	if err != nil {
		return err
	}
	_, err = evict.Evict(ctx, l.cluster.Client, decision, options, evict.Listener{Report: report})
	return err
}

func (l *Lost) volumes(ctx context.Context, report plan.Report) error {
	return detach.Await(ctx, l.cluster.Client, l.Drain, l.timeout, report)
}

func (l *Lost) delete(ctx context.Context, report plan.Report) error {
	return depart(ctx, l.cluster.Client, l.Node, "then run the same command again with --ignore-not-found: it deletes what is left of its pods", report)
}

func (l *Lost) clearPods(ctx context.Context, report plan.Report) (err error) {
	l.Lingering, err = clearPods(ctx, l.cluster.Client, l.Node.Name, report)
	return err
}

// recorded reports whether a run was under way when the host died.
func (l *Lost) recorded(ctx context.Context) (bool, error) {
	_, found, err := runner.Get(ctx, l.cluster, l.Node.Name)
	return found, err
}

func (l *Lost) end(ctx context.Context, _ plan.Report) error {
	rec, found, err := runner.Get(ctx, l.cluster, l.Node.Name)
	if err != nil || !found {
		return err
	}
	return runner.End(ctx, l.cluster.Client, rec)
}
