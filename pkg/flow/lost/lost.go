// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/liveness"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// NodeLoss is giving up a node whose host is dead, read and decided.
type NodeLoss struct {
	Node *corev1.Node
	// Drain says which pods it has; all of them are given up.
	Drain drain.Decision
	// Facts are what the cluster knows about the host, for those who clean it
	// should it come back. Of big clusters the nodes' addresses are left out.
	Facts inventory.Facts
	// Warnings are what needs care once the node is gone.
	Warnings []string
	// WithoutKubelet says that a machine is up at the node's address, and that no kubelet
	// listens there: it was reset by hand, say, and does not come back by itself.
	WithoutKubelet bool
	// Lingering are pods that the API still has after the Node is gone.
	Lingering []departure.Lingering
	// Held are the locks that a tool of the cluster's holds for the node that is gone.
	Held []string

	// survivor is the control plane that takes the etcd member of a dead one out
	// of its cluster; nil for a worker.
	survivor *corev1.Node
	// who takes the lock on the control planes, and unlock gives it back.
	who     string
	unlock  func(context.Context) error
	cluster runner.Cluster
	drain   *flow.Drain
	silence liveness.Silence
}

// Options are the choices about a node whose host is dead.
type Options struct {
	// Who is "user@host", for those who find the node cordoned.
	Who string

	// Timeout bounds each wait; zero means none.
	Timeout time.Duration
	// HostOff says that a person has seen that the host is switched off. It counts
	// only where the cluster cannot tell; a sign of life outweighs it.
	HostOff bool
}

// Prepare reads everything, and refuses a node that shows any sign of life,
// for two hosts may then write to one volume: one whose Ready condition is not
// Unknown, one whose host is another Node by now, one whose kubelet answers through
// the API server, one that renews its lease or writes anything else within the next
// 25 s. The clocks of two machines are not compared. That a kubelet could not be
// asked is not silence: it needs Options.HostOff. What cannot be seen at all is a
// host that works and is cut off from the cluster; only a person can.
func Prepare(ctx context.Context, cluster runner.Cluster, name string, opts Options, report plan.Report) (*NodeLoss, error) {
	client := cluster.Client
	node, err := kubenode.Get(ctx, client, name)
	if err != nil {
		return nil, err
	}
	if err := kubenode.RequireKubeadm(ctx, client, node); err != nil {
		return nil, err
	}
	if err := access.Require(ctx, client, lostNeeds(cluster.RunNamespace())); err != nil {
		return nil, err
	}
	l := &NodeLoss{Node: node, Warnings: departure.Warnings(node), cluster: cluster, who: opts.Who}
	if kubenode.IsControlPlane(node) {
		if err := l.chooseSurvivor(ctx); err != nil {
			return nil, err
		}
	}
	if l.silence, err = liveness.RequireDead(ctx, cluster, node, opts.HostOff, report); err != nil {
		return nil, err
	}
	l.WithoutKubelet = l.silence.WithoutKubelet
	if l.silence.Warning != "" {
		l.Warnings = append(l.Warnings, l.silence.Warning)
	}
	if l.Facts, err = hostfacts.Read(ctx, client, node); err != nil {
		return nil, err
	}
	l.Facts = brief(l.Facts)
	l.drain = &flow.Drain{
		Client: client, Nodes: []string{name}, Options: drainOptions(cluster.Namespace, opts.Timeout),
		By: opts.Who, Reason: "its host is dead", GivenUp: true,
	}
	err = l.drain.Decide(ctx)
	l.Drain = l.drain.Decision
	if err == nil {
		l.Warnings = append(l.Warnings, drain.ReadAdmission(ctx, client).Warnings(l.Drain)...)
	}
	return l, err
}

// drainOptions let all pods go at once: nothing runs any more that a budget protects.
func drainOptions(namespace string, timeout time.Duration) drain.Options {
	options := drain.DefaultOptions()
	options.RunnerNamespace = namespace
	options.Force, options.IgnoreDaemonSets, options.DeleteEmptyDirData, options.DisableEviction = true, true, true, true
	options.GracePeriodSeconds, options.Timeout = 0, timeout
	// One that a finalizer holds is looked at again when the Node is gone, and named.
	options.SkipWaitForDeleteTimeoutSeconds = 60
	return options
}

// brief makes facts that a person can paste: what there is of every node is left
// out where there are many.
func brief(facts inventory.Facts) inventory.Facts {
	const many = 16
	if len(facts.NodeIPs) > many {
		facts.NodeIPs, facts.NodePods = nil, nil
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

func lostNeeds(namespace string) []access.Need {
	return append(access.Drain(),
		access.Need{Verb: "delete", Resource: "nodes"}, access.Need{Verb: "watch", Resource: "nodes"}, access.Need{Verb: "delete",
			Resource: "pods"}, access.Need{Verb: "get", Resource: "persistentvolumes"},
		access.Need{Verb: "list", Group: "storage.k8s.io", Resource: "volumeattachments"}, access.Need{Verb: "watch", Group: "storage.k8s.io",
			Resource: "volumeattachments"},
		access.Need{Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Namespace: corev1.NamespaceNodeLease},
		access.Need{Verb: "list", Group: "coordination.k8s.io", Resource: "leases", Namespace: corev1.NamespaceNodeLease},
		access.Need{Verb: "watch", Group: "coordination.k8s.io", Resource: "leases", Namespace: corev1.NamespaceNodeLease},
		access.Need{Verb: "get", Resource: "secrets", Namespace: namespace}, access.Need{Verb: "delete", Resource: "secrets",
			Namespace: namespace})
}

// Plan is giving the node up, step by step.
func (l *NodeLoss) Plan() plan.Plan {
	name, why := l.Node.Name, ", whose host is dead"
	if l.WithoutKubelet {
		why = ", on whose host no kubelet runs any more"
	}
	return plan.Plan{
		Title: "Give up node " + name + why,
		Steps: slices.Concat(l.silenceSteps(), l.lockSteps(), l.deadMemberSteps(), l.drainSteps(), l.finishSteps()),
		Notes: []string{
			"no budget is asked: the pods do not run any more",
			"if the host works and is only cut off, its pods still write to their volumes: make sure that it is switched off",
			"its host is not cleaned",
		},
	}
}

// silenceSteps look once more before anything is done.
func (l *NodeLoss) silenceSteps() []plan.Step {
	return []plan.Step{{
		ID: "silence", Title: "See that " + l.Node.Name + " is silent still",
		Do: func(ctx context.Context, _ plan.Report) error { return l.silence.Still(ctx) },
	}}
}

// drainSteps give up the pods that nothing lets stay. Those of DaemonSets and of the
// host itself end with the Node.
func (l *NodeLoss) drainSteps() []plan.Step {
	return []plan.Step{
		l.drain.CordonStep(),
		{ID: "taint", Title: "Declare " + l.Node.Name + " out of service", Do: l.taint},
		l.drain.EvictStep("Give up " + text.Count(len(l.Drain.ToEvict()), "pod") + " of it"),
		l.drain.VolumeStep("Wait until its volumes are detached"),
	}
}

// finishSteps take the node out of the API.
func (l *NodeLoss) finishSteps() []plan.Step {
	steps := []plan.Step{
		{ID: "node", Title: departure.Title(l.Node), Do: l.delete},
		{ID: "leftovers", Title: "Delete what is left of its pods", Do: l.clearPods},
		{ID: "record", Title: "Delete the run record", Needed: l.recorded, Do: l.end},
	}
	if l.survivor != nil {
		steps = append(steps, plan.Step{ID: "unlock", Title: "Release the lock on the control planes",
			Do: func(ctx context.Context, _ plan.Report) error { return l.unlock(ctx) }})
	}
	return steps
}

// taint has the control plane delete the pods by force and detach their volumes
// at once (KEP-2268, non-graceful node shutdown).
func (l *NodeLoss) taint(ctx context.Context, _ plan.Report) error {
	if err := l.silence.Still(ctx); err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return l.taintOnce(ctx) })
}

func (l *NodeLoss) taintOnce(ctx context.Context) error {
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

func (l *NodeLoss) delete(ctx context.Context, report plan.Report) error {
	err := departure.DeleteNode(ctx, l.cluster.Client, l.Node,
		"then run the same command again with --ignore-not-found: it deletes what is left of its pods", report)
	if err == nil {
		l.Held = append(departure.Held(ctx, l.cluster.Client, l.Node.Name), departure.Remains(ctx, l.cluster.Client, l.Node)...)
	}
	return err
}

func (l *NodeLoss) clearPods(ctx context.Context, report plan.Report) (err error) {
	l.Lingering, err = departure.ClearPods(ctx, l.cluster.Client, l.Node.Name, report)
	return err
}

// recorded reports whether a run was under way when the host died.
func (l *NodeLoss) recorded(ctx context.Context) (bool, error) {
	_, found, err := runner.Get(ctx, l.cluster, l.Node.Name)
	return found, err
}

func (l *NodeLoss) end(ctx context.Context, _ plan.Report) error {
	rec, found, err := runner.Get(ctx, l.cluster, l.Node.Name)
	if err != nil || !found {
		return err
	}
	return runner.End(ctx, l.cluster.Client, rec)
}
