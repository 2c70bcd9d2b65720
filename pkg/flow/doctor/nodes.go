// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// oldestKubelet is how many minors a kubelet may be behind the API server
// (Kubernetes 1.28, version skew policy).
const oldestKubelet = 3

// describe is the command that shows a node.
func describe(node string) string { return text.Command("kubectl", "describe", "node", node) }

// silent is NODE001: kubelets that have stopped to report.
func silent(s Seen) (all []finding.Finding) {
	for i := range s.Nodes {
		node := &s.Nodes[i]
		if !kube.NodeSilent(node) {
			continue
		}
		c := kube.ReadyCondition(node)
		all = append(all, finding.Finding{ID: "NODE001", Severity: finding.Error, Nodes: []string{node.Name},
			What:     "node " + node.Name + " is silent: its kubelet reports nothing",
			Evidence: fmt.Sprintf("Ready is Unknown since %s: %s", c.LastTransitionTime.UTC().Format("2006-01-02 15:04:05"), text.Brief(c.Message)),
			Cure: "see whether the host runs and reaches the API server, then its kubelet: systemctl status kubelet; if the host is lost: " +
				text.Command("kubectl", "lifecycle", "remove", node.Name, "--node-lost", "--dry-run")})
	}
	return all
}

// notReady is NODE002: kubelets that say why they are not Ready.
func notReady(s Seen) (all []finding.Finding) {
	for i := range s.Nodes {
		node := &s.Nodes[i]
		c := kube.ReadyCondition(node)
		f := finding.Finding{ID: "NODE002", Severity: finding.Error, Nodes: []string{node.Name}, What: "node " + node.Name + " is not Ready",
			Cure: describe(node.Name)}
		switch {
		case c == nil:
			f.Evidence = "its kubelet has never reported a condition Ready"
		case c.Status != corev1.ConditionFalse:
			continue
		default:
			f.Evidence = c.Reason + ": " + text.Brief(c.Message)
		}
		if c != nil && strings.Contains(c.Message, "cni plugin not initialized") {
			f.What += ": it has no pod network"
			f.Cure = "kubectl lifecycle cni status"
		}
		all = append(all, f)
	}
	return all
}

// pressed is NODE003: nodes that run out of something.
func pressed(s Seen) (all []finding.Finding) {
	for i := range s.Nodes {
		for _, c := range s.Nodes[i].Status.Conditions {
			of := c.Type == corev1.NodeMemoryPressure || c.Type == corev1.NodeDiskPressure || c.Type == corev1.NodePIDPressure ||
				c.Type == corev1.NodeNetworkUnavailable
			if of && c.Status == corev1.ConditionTrue {
				all = append(all, finding.Finding{ID: "NODE003", Severity: finding.Warning, Nodes: []string{s.Nodes[i].Name},
					What: fmt.Sprintf("node %s says %s", s.Nodes[i].Name, c.Type), Evidence: c.Reason + ": " + text.Brief(c.Message),
					Cure: describe(s.Nodes[i].Name)})
			}
		}
	}
	return all
}

// tainted is NODE004: no node takes a person's pods, since all are control planes and are
// tainted as such.
func tainted(s Seen) []finding.Finding {
	var names []string
	for i := range s.Nodes {
		node := &s.Nodes[i]
		repels := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
			return t.Key == "node-role.kubernetes.io/control-plane" && t.Effect == corev1.TaintEffectNoSchedule
		})
		if !repels {
			return nil
		}
		names = append(names, node.Name)
	}
	if len(names) == 0 {
		return nil
	}
	return []finding.Finding{{ID: "NODE004", Severity: finding.Warning, Nodes: names,
		What:     "no node takes pods of yours: " + text.Some(names) + " only, and the taint of control planes is on it",
		Evidence: "taint node-role.kubernetes.io/control-plane:NoSchedule",
		Cure: "join a worker: kubectl lifecycle join --wait; or let pods onto it: " +
			text.Command("kubectl", "taint", "node", names[0], "node-role.kubernetes.io/control-plane:NoSchedule-")}}
}

// cordoned is NODE005: nodes that another client has made unschedulable.
func cordoned(s Seen) []finding.Finding {
	var names []string
	for i := range s.Nodes {
		if _, ours := drain.NoteOf(&s.Nodes[i]); s.Nodes[i].Spec.Unschedulable && !ours {
			names = append(names, s.Nodes[i].Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []finding.Finding{{ID: "NODE005", Severity: finding.Note, Nodes: names,
		What:     "unschedulable, and no note says why: " + text.Some(names),
		Evidence: "spec.unschedulable", Cure: "when the work there is done: " + text.Command("kubectl", "uncordon", names[0])}}
}

// skewed is SKEW001 and SKEW002: kubelets of a version that the API server's does not
// support.
func skewed(s Seen) (all []finding.Finding) {
	server, err := version.ParseGeneric(s.Server)
	if err != nil {
		return nil // the control plane could not be read, which is told
	}
	for i := range s.Nodes {
		node := &s.Nodes[i]
		kubelet, err := version.ParseGeneric(node.Status.NodeInfo.KubeletVersion)
		if err != nil {
			continue
		}
		f := finding.Finding{Severity: finding.Error, Nodes: []string{node.Name},
			Evidence: "kubelet " + kubelet.String() + ", API server " + server.String()}
		switch behind := int(server.Minor()) - int(kubelet.Minor()); {
		case behind < 0:
			f.ID, f.What = "SKEW001", "the kubelet of "+node.Name+" is newer than the API server"
			f.Cure = "upgrade the control plane first: kubeadm upgrade plan"
		case behind > oldestKubelet:
			f.ID = "SKEW002"
			f.What = fmt.Sprintf("the kubelet of %s is %d minors behind the API server, %d are supported", node.Name, behind, oldestKubelet)
			f.Cure = "upgrade it, minor by minor: kubeadm upgrade node"
		default:
			continue
		}
		all = append(all, f)
	}
	return all
}
