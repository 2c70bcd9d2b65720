// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostSteps is how many steps are suggested.
const mostSteps = 4

// cluster is what the overview knows of a cluster.
type cluster struct {
	nodes []corev1.Node
	// runs are the names of nodes that are being worked on.
	runs []string
	// partial says that there are more nodes than these.
	partial bool
}

// step is a command, and why it is next.
type step struct{ command, why string }

// line says how a cluster is.
func (c cluster) line() string {
	planes, ready, cordoned := 0, 0, 0
	for i := range c.nodes {
		node := &c.nodes[i]
		planes += one(kube.IsControlPlane(node))
		ready += one(kube.NodeReady(node))
		cordoned += one(node.Spec.Unschedulable)
	}
	out := fmt.Sprintf("%s%s (%s), %d Ready", text.Choose(c.partial, "the first ", ""), text.Count(len(c.nodes), "node"),
		text.Count(planes, "control plane"), ready)
	if cordoned > 0 {
		out += fmt.Sprintf(", %d cordoned", cordoned)
	}
	return out
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// next are the steps that a cluster suggests, the most urgent first: what is unfinished,
// what does not work, what is missing, and what can be looked at where all is well.
func (c cluster) next() []step {
	var out []step
	add := func(why string, words ...string) {
		out = append(out, step{text.Command(append([]string{"kubectl", "lifecycle"}, words...)...), why})
	}
	for _, node := range c.runs {
		add("this node is being worked on, or a run on it was interrupted", "runs", "follow", node)
	}
	c.unfinished(add)
	switch down, without := c.notReady(); {
	case len(without) > 0 && len(without) == len(c.nodes):
		add("no node has a pod network", "cni", "install", "NAME")
	case len(without) > 0:
		add(fmt.Sprintf("%s has no pod network", some(without)), "cni", "status")
	case len(down) > 0:
		add(fmt.Sprintf("%s is not Ready", some(down)), "cni", "status")
	}
	workers := slices.ContainsFunc(c.nodes, func(node corev1.Node) bool { return !kube.IsControlPlane(&node) })
	if !workers {
		add("the cluster has no worker", "join", "--wait")
	}
	if len(out) == 0 {
		add("see what works, and what does not, in the pod network", "cni", "status")
		add("see when certificates end", "certs", "check")
		add("see how a drain of a node would go, before you need it", "drain", worker(c.nodes), "--ignore-daemonsets", "--plan")
	}
	return out[:min(len(out), mostSteps)]
}

// unfinished suggests what ends the drains whose note is on a node.
func (c cluster) unfinished(add func(string, ...string)) {
	var mine []string
	for i := range c.nodes {
		node := &c.nodes[i]
		if _, ours := drain.NoteOf(node); ours && node.Spec.Unschedulable && !slices.Contains(c.runs, node.Name) {
			mine = append(mine, node.Name)
		}
	}
	if len(mine) > 0 {
		add(fmt.Sprintf("%s is cordoned by this tool: make it schedulable when the work is done", some(mine)), "uncordon", mine[0])
	}
}

// notReady are the nodes that are not Ready, and of these the ones whose runtime says that
// it has no network (kubelet 1.24: "cni plugin not initialized").
func (c cluster) notReady() (down, without []string) {
	for i := range c.nodes {
		node := &c.nodes[i]
		if kube.NodeReady(node) {
			continue
		}
		down = append(down, node.Name)
		if ready := kube.ReadyCondition(node); ready != nil && strings.Contains(ready.Message, "cni plugin not initialized") {
			without = append(without, node.Name)
		}
	}
	return down, without
}

// some names the first of some nodes, and how many there are besides.
func some(nodes []string) string {
	if len(nodes) == 1 {
		return "node " + text.Short(nodes[0], 63)
	}
	return fmt.Sprintf("node %s, like %d others,", text.Short(nodes[0], 63), len(nodes)-1)
}

// worker is a node to speak of in an example.
func worker(nodes []corev1.Node) string {
	for i := range nodes {
		if !kube.IsControlPlane(&nodes[i]) {
			return nodes[i].Name
		}
	}
	return "NODE"
}
