// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// dnsSelector is the label of CoreDNS.
const dnsSelector = facts.DNSSelector

// view is a look at everything that a working network shows itself in.
type view struct {
	target Target
	nodes  []*corev1.Node
	// agents is nil while there is no DaemonSet.
	agents *appsv1.DaemonSet
	// pods are those of the agents' namespace.
	pods []*corev1.Pod
	dns  []*appsv1.Deployment
	// now is when the look was taken.
	now time.Time
}

// linuxNodes are the nodes that the network is for, sorted by name.
func (v view) linuxNodes() []*corev1.Node {
	var nodes []*corev1.Node
	for _, node := range v.nodes {
		if facts.OS(node) == "linux" {
			nodes = append(nodes, node)
		}
	}
	slices.SortFunc(nodes, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes
}

// servedNodes are the nodes that the network can be expected to work on.
func (v view) servedNodes() []*corev1.Node {
	var nodes []*corev1.Node
	for _, node := range v.linuxNodes() {
		if facts.Absence(node, v.now) == "" && facts.Lacks(node, v.target.Pods, v.now) == "" {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// absent counts the nodes of which nothing can be expected now.
func (v view) absent() int {
	n := 0
	for _, node := range v.linuxNodes() {
		if facts.Absence(node, v.now) != "" {
			n++
		}
	}
	return n
}

// gaps lists what is missing, in the order in which it comes: agents, nodes,
// names. None means that the network works.
func (v view) gaps() []gap {
	gaps := v.agentGaps()
	for _, node := range v.servedNodes() {
		if ready, message := facts.Readiness(node); !ready {
			gaps = append(gaps, gap{kind: ofNode, name: node.Name, why: "not Ready: " + inner(message),
				see: text.Command("kubectl", "describe", "node", node.Name)})
		} else if unavailable(node) {
			gaps = append(gaps, gap{kind: ofNode, name: node.Name, why: "its condition NetworkUnavailable is true",
				see: text.Command("kubectl", "describe", "node", node.Name)})
		}
	}
	for _, d := range v.dns {
		if !available(d) && (v.absent() == 0 || !answers(d)) {
			gaps = append(gaps, gap{
				kind: ofDNS,
				why:  fmt.Sprintf("deployment %s has %d of %d pods available", d.Name, d.Status.AvailableReplicas, kube.Wanted(d.Spec.Replicas)),
				see:  "kubectl -n kube-system describe pods -l " + dnsSelector,
			})
		}
	}
	return gaps
}

// agentGaps looks for a ready agent of the newest kind on every node, one that
// has written what it writes.
func (v view) agentGaps() []gap {
	set := v.agents
	show := text.Command("kubectl", "-n", v.target.Namespace, "describe", "daemonset", v.target.DaemonSet)
	if set == nil {
		return []gap{{kind: ofAgents, why: fmt.Sprintf("there is no daemonset %s/%s", v.target.Namespace, v.target.DaemonSet), see: show}}
	}
	if set.DeletionTimestamp != nil {
		return []gap{{kind: ofAgents, why: fmt.Sprintf("daemonset %s/%s is being deleted", set.Namespace, set.Name), see: show}}
	}
	if set.Status.ObservedGeneration < set.Generation {
		return []gap{{kind: ofAgents, why: "the daemonset controller has not seen the newest daemonset yet", see: show}}
	}
	agents := v.agentsByNode()
	var gaps []gap
	for _, node := range v.servedNodes() {
		pod := agents[node.Name]
		missing := agentGap(pod)
		missing.kind, missing.name = agentOn, node.Name
		switch {
		case missing.why != "" && pod == nil:
			missing.see = show
		case missing.why != "":
			missing.see = text.Command("kubectl", "-n", pod.Namespace, "describe", "pod", pod.Name)
		default:
			if unwritten := v.target.Network.OnNode; unwritten != nil {
				missing.why = unwritten(node)
			}
			if missing.why == "" {
				continue
			}
			missing.see = text.Command("kubectl", "-n", pod.Namespace, "logs", pod.Name)
		}
		gaps = append(gaps, missing)
	}
	// The agent of a node that does not answer is not replaced before it does.
	if old := int(set.Status.DesiredNumberScheduled - set.Status.UpdatedNumberScheduled); old > v.absent() &&
		set.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType {
		gaps = append(gaps, gap{kind: ofAgents, why: fmt.Sprintf("%d of %d are still of the version before", old,
			set.Status.DesiredNumberScheduled), see: show})
	}
	return gaps
}

// agentsByNode finds the agent of each node; one that is going away is none. A
// pod that is not scheduled yet is already bound to its node by affinity.
func (v view) agentsByNode() map[string]*corev1.Pod {
	selector, err := metav1.LabelSelectorAsSelector(v.agents.Spec.Selector)
	if err != nil {
		selector = labels.Nothing() // the API server would not have taken it
	}
	agents := map[string]*corev1.Pod{}
	for _, pod := range v.pods {
		if pod.DeletionTimestamp == nil && selector.Matches(labels.Set(pod.Labels)) && metav1.IsControlledBy(pod, v.agents) {
			agents[targetNode(pod)] = pod
		}
	}
	return agents
}

// targetNode is the node of a pod, or the one that its DaemonSet made it for.
func targetNode(pod *corev1.Pod) string {
	if pod.Spec.NodeName != "" || pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return pod.Spec.NodeName
	}
	required := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return ""
	}
	for _, term := range required.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == metav1.ObjectNameField && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// summary counts what is there: "agents 1/3, nodes Ready 0/3, CoreDNS 0/2".
func (v view) summary() string {
	nodes := v.servedNodes()
	var agents, ready int
	var byNode map[string]*corev1.Pod
	if v.agents != nil {
		byNode = v.agentsByNode()
	}
	for _, node := range nodes {
		if pod := byNode[node.Name]; pod != nil && agentGap(pod).why == "" {
			agents++
		}
		if ok, _ := facts.Readiness(node); ok {
			ready++
		}
	}
	line := fmt.Sprintf("agents %d/%d, nodes Ready %d/%d", agents, len(nodes), ready, len(nodes))
	if left := len(v.linuxNodes()) - len(nodes); left > 0 {
		line += fmt.Sprintf(", %d not served", left)
	}
	for _, d := range v.dns {
		line += fmt.Sprintf(", CoreDNS %d/%d", d.Status.AvailableReplicas, kube.Wanted(d.Spec.Replicas))
	}
	return line
}

// inner is the heart of what a kubelet says of its network: "container runtime
// network not ready: NetworkReady=false reason:… message:HEART".
func inner(message string) string {
	if _, heart, ok := strings.Cut(message, " message:"); ok {
		return heart
	}
	return oneLine(message)
}

func unavailable(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionTrue
	})
}

// available wants every replica, and not only as many as the condition of that
// name does: that one is true with maxUnavailable of them missing.
func available(d *appsv1.Deployment) bool {
	return kube.Wanted(d.Spec.Replicas) == 0 || d.Status.ObservedGeneration >= d.Generation &&
		d.Status.AvailableReplicas >= kube.Wanted(d.Spec.Replicas) &&
		slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentAvailable && c.Status == corev1.ConditionTrue
		})
}

// answers says that some of it works, which is all that can be had while pods
// of it are on a node that does not answer.
func answers(d *appsv1.Deployment) bool { return d.Status.AvailableReplicas > 0 }
