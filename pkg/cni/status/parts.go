// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// The words for an agent.
const (
	ready    = "ready"
	notReady = "not ready"
	none     = "none"
)

// agentsByNode are the agents of all networks; one that is going away is none.
func agentsByNode(in finding.Input) map[string][]*corev1.Pod {
	byNode := map[string][]*corev1.Pod{}
	for _, agents := range in.Pods.Agents {
		for _, pod := range agents {
			if pod.DeletionTimestamp == nil {
				byNode[health.NodeOf(pod)] = append(byNode[health.NodeOf(pod)], pod)
			}
		}
	}
	return byNode
}

// nodeOf says how the network is on one node.
func nodeOf(n facts.Node, in finding.Input, agents map[string][]*corev1.Pod) Node {
	out := Node{Name: n.Name, Ready: n.Ready, Served: n.Absent == "", Agent: none, PodCIDRs: n.PodCIDRs, Kernel: n.Kernel, Runtime: n.Runtime}
	var reasons []string
	for _, pod := range agents[n.Name] {
		state := health.AgentOf(pod)
		if state.Ready && out.Agent == none {
			out.Agent = ready
		}
		if !state.Ready {
			out.Agent = notReady
			words := in.Words[pod.Namespace+"/"+pod.Name]
			reasons = append(reasons, state.Why+text.Choose(words == "", "", ": "+words))
		}
	}
	switch {
	case n.Absent != "":
		reasons = []string{n.Absent}
	case out.Agent == none && len(in.Endings) > 0:
		reasons = append(reasons, "no agent is made for it: "+in.Endings[0].String()+" is being deleted")
	case len(reasons) == 0 && out.Agent == none && len(in.Networks) > 0:
		reasons = append(reasons, "no agent was made for it")
	case len(reasons) == 0 && !n.Ready:
		reasons = append(reasons, "not Ready: "+health.Inner(n.Message))
	}
	out.Reason = text.Brief(strings.Join(reasons, "; "))
	return out
}

// networkOf describes the network at a place of the input.
func networkOf(in finding.Input, i int, n facts.Network) Network {
	out := Network{CNI: n.CNI, Namespace: n.Namespace, DaemonSet: n.DaemonSet, Manager: managerOf(in.Facts, n), Version: versionOf(in.Facts,
		n)}
	counts := map[string]int{}
	if i < len(in.Pods.Agents) {
		out.Agents.Of = len(in.Pods.Agents[i])
		for _, pod := range in.Pods.Agents[i] {
			if health.AgentOf(pod).Ready {
				out.Agents.Count++
			}
			for _, s := range pod.Status.ContainerStatuses {
				counts[s.Image]++
			}
		}
	}
	for image, pods := range counts {
		out.Images = append(out.Images, Image{Image: image, Pods: pods})
	}
	slices.SortFunc(out.Images, func(a, b Image) int { return cmp.Or(b.Pods-a.Pods, strings.Compare(a.Image, b.Image)) })
	return out
}

// managerOf is who keeps a network as it is.
func managerOf(f facts.Facts, n facts.Network) string {
	var words []string
	for _, m := range n.Managed {
		words = append(words, m.String())
	}
	r := f.Release(n.ReleaseNamespace, n.Release)
	switch {
	case r.Revision > 0:
		return fmt.Sprintf("%s, chart %s, revision %d (%s)", cmp.Or(strings.Join(words, ", "), "Helm release "+r.Name), r.Version, r.Revision,
			r.Status)
	case len(words) == 0 && n.Release != "":
		return "Helm release " + n.Release + " in namespace " + n.ReleaseNamespace
	}
	return cmp.Or(strings.Join(words, ", "), "manifests")
}

// versionOf is that of the agents' image, else of the chart: the tag of the image
// that is called like the network, else of the first.
func versionOf(f facts.Facts, n facts.Network) string {
	for _, only := range []string{n.CNI, ""} {
		for _, image := range n.Images {
			name, _, _ := strings.Cut(image, "@")
			slash := strings.LastIndex(name, "/")
			repository, tag, tagged := strings.Cut(name[slash+1:], ":")
			if tagged && (only == "" || repository == only || repository == "node") {
				return tag
			}
		}
	}
	return f.Release(n.ReleaseNamespace, n.Release).Version
}
