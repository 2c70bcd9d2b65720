// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// UntaintTimeout is how long a node that is Ready is given to lose the taints
// that others take off by themselves, before they are called the reason that it
// gets no pods.
const UntaintTimeout = 30 * time.Second

// controlPlaneRole is the label and the taint of kubeadm's control planes.
const controlPlaneRole = "node-role.kubernetes.io/control-plane"

// CordonNote says who cordoned a node, when and why; empty if that is not known. The
// note itself is another package's.
type CordonNote func(*corev1.Node) string

// taintCause is what is known of a taint by its key.
type taintCause struct {
	// key is the whole of it, or its end after a "/" or its beginning.
	matches func(key string) bool
	// why completes "taint …: ".
	why string
	// way is the way out; %[1]s is the node's name, %[2]s the taint's key.
	way string
	// passes: a controller takes it off by itself, if it runs.
	passes bool
}

func is(keys ...string) func(string) bool {
	return func(key string) bool {
		for _, k := range keys {
			if key == k {
				return true
			}
		}
		return false
	}
}

func endsIn(end string) func(string) bool {
	return func(key string) bool { return strings.HasSuffix(key, end) }
}

const describeWay = "see why: kubectl describe node %[1]s"

// taintCauses lists the taints whose owner is known; the first that matches
// counts.
func taintCauses() []taintCause {
	return []taintCause{
		{is(corev1.TaintNodeUnschedulable), "", "", false}, // the cordon is told by itself
		{is("node.cloudprovider.kubernetes.io/uninitialized"),
			"its kubelet runs with --cloud-provider=external, and no cloud-controller-manager has taken it up",
			"see that one runs: kubectl -n kube-system get pods; without a cloud, take the flag out of the host's kubelet (/etc/default/kubelet, " +
				"/etc/sysconfig/kubelet or /var/lib/kubelet/kubeadm-flags.env) and take the taint off: kubectl taint nodes %[1]s %[2]s-", true},
		{is("node.cilium.io/agent-not-ready"), "Cilium's agent on it has not become ready",
			"look at it: kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=%[1]s", true},
		{endsIn("/agent-not-ready"), "an agent on it has not become ready",
			"look for its pod: kubectl get pods -A --field-selector spec.nodeName=%[1]s", true},
		{is(corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable),
			"the node-lifecycle-controller of kube-controller-manager has not taken it off", "does kube-controller-manager run? kubectl -n " +
				"kube-system get pods -l component=kube-controller-manager", true},
		{is(corev1.TaintNodeNetworkUnavailable), "its network has not reported that it works", describeWay, true},
		{is(corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure, corev1.TaintNodePIDPressure), "its kubelet is short of that resource",
			describeWay, true},
		{is(corev1.TaintNodeOutOfService), "the node was given up as dead: its pods are deleted by force",
			"take it off: kubectl taint nodes %[1]s %[2]s-", false},
		{endsIn("/uninitialized"), "a controller has not set the node up",
			"see that the controller of that name runs, or take it off: kubectl taint nodes %[1]s %[2]s-", true},
		{is("karpenter.sh/unregistered"), "Karpenter has not registered the node", "see that Karpenter runs and knows the node", true},
		{is("karpenter.sh/disrupted", "ToBeDeletedByClusterAutoscaler"), "an autoscaler is about to delete the node", describeWay, false},
		{is(controlPlaneRole, "node-role.kubernetes.io/master"), "the taint of a control plane, on a node that is none",
			"take it off: kubectl taint nodes %[1]s %[2]s-", false},
	}
}

// Barrier is one thing that keeps pods away from a node that is Ready.
type Barrier struct {
	Warning
	// Passes says that others take it off by themselves.
	Passes bool
}

// Barriers lists what keeps pods away from a node: its cordon, and the taints
// that pods do not tolerate of their own. It is pure. kubeadm's own taint of a
// control plane is meant to be.
func Barriers(node *corev1.Node, note CordonNote) []Barrier {
	var found []Barrier
	if node.Spec.Unschedulable {
		by := ""
		if note != nil {
			if by = text.Brief(note(node)); by != "" {
				by = " " + by
			}
		}
		found = append(found, Barrier{Warning{
			Text: fmt.Sprintf("node %s is cordoned%s: it gets no new pods", node.Name, by),
			Hint: "to allow new pods: " + text.Command("kubectl", "lifecycle", "uncordon", node.Name),
		}, false})
	}
	for _, taint := range node.Spec.Taints {
		if taint.Effect == corev1.TaintEffectPreferNoSchedule || ownTaint(node, taint) {
			continue
		}
		if b, ok := taintBarrier(node, taint); ok {
			found = append(found, b)
		}
	}
	return found
}

// ownTaint says whether a taint is the one that kubeadm gives a node of its
// role.
func ownTaint(node *corev1.Node, taint corev1.Taint) bool {
	_, control := node.Labels[controlPlaneRole]
	return control && (taint.Key == controlPlaneRole || taint.Key == "node-role.kubernetes.io/master")
}

func taintBarrier(node *corev1.Node, taint corev1.Taint) (Barrier, bool) {
	words := text.Brief(taint.ToString())
	for _, c := range taintCauses() {
		if !c.matches(taint.Key) {
			continue
		}
		if c.why == "" {
			return Barrier{}, false
		}
		return Barrier{Warning{
			Text: fmt.Sprintf("taint %s keeps pods away from node %s: %s", words, node.Name, c.why),
			Hint: strings.NewReplacer("%[1]s", text.Quote(node.Name), "%[2]s", text.Quote(taint.Key)).Replace(c.way),
		}, c.passes}, true
	}
	return Barrier{Warning{
		Text: fmt.Sprintf("taint %s keeps pods away from node %s that do not tolerate it", words, node.Name),
		Hint: "if that is not meant to be: " + text.Command("kubectl", "taint", "nodes", node.Name, taint.Key+"-"),
	}, false}, true
}

// WarningsOf are the warnings in barriers.
func WarningsOf(all []Barrier) []Warning {
	var ws []Warning
	for _, b := range all {
		ws = append(ws, b.Warning)
	}
	return ws
}

// Staying leaves out what passes by itself once a node is Ready.
func Staying(all []Barrier) []Barrier {
	return slices.DeleteFunc(all, func(b Barrier) bool { return b.Passes })
}
