// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	etcd = "etcd"
	// stale is how long a lease may be older than an API server's, which is renewed every
	// ten seconds, before its holder counts as gone: those of leaders are renewed every two.
	stale = time.Minute
)

// planePods are the static pods of kubeadm, by component and node.
func (s Seen) planePods() map[string]map[string]*corev1.Pod {
	pods := map[string]map[string]*corev1.Pod{"kube-apiserver": {}, "kube-controller-manager": {}, "kube-scheduler": {}, etcd: {}}
	for i := range s.System {
		pod := &s.System[i]
		// A pod of any name may carry the label; a mirror pod is named for its node.
		if of := pods[pod.Labels["component"]]; of != nil && pod.Name == pod.Labels["component"]+"-"+pod.Spec.NodeName {
			of[pod.Spec.NodeName] = pod
		}
	}
	return pods
}

// components is API001: a component of the control plane that does not run as it should.
func components(s Seen) (all []finding.Finding) {
	pods := s.planePods()
	for _, name := range slices.Sorted(maps.Keys(pods)) {
		for _, node := range slices.Sorted(maps.Keys(pods[name])) {
			pod := pods[name][node]
			if kube.PodReady(pod) || s.isSilent(node) { // of a silent node that is told
				continue
			}
			all = append(all, finding.Finding{ID: "API001", Severity: finding.Error, Nodes: []string{node},
				What: fmt.Sprintf("%s on %s is not ready", name, node), Evidence: "pod kube-system/" + pod.Name + ": " + lastWords(pod),
				Cure: "see its log: " + text.Command("kubectl", "-n", "kube-system", "logs", pod.Name, "--previous")})
		}
	}
	return all
}

func (s Seen) isSilent(node string) bool {
	return slices.ContainsFunc(s.Nodes, func(n corev1.Node) bool { return n.Name == node && kube.NodeSilent(&n) })
}

// lastWords are why a container of a pod does not run, or how it ended last.
func lastWords(pod *corev1.Pod) string {
	if len(pod.Status.ContainerStatuses) == 0 {
		return "it has not been started"
	}
	c, words := pod.Status.ContainerStatuses[0], ""
	if w := c.State.Waiting; w != nil {
		words = strings.TrimSpace(w.Reason + " " + w.Message)
	}
	if t := c.LastTerminationState.Terminated; t != nil {
		words += fmt.Sprintf(", ended last with %d (%s)", t.ExitCode, t.Reason)
	}
	if words == "" {
		words = "it runs, and its probe fails"
	}
	return text.Brief(strings.TrimPrefix(words, ", ") + fmt.Sprintf("; restarts: %d", c.RestartCount))
}

// absent is API002: a control plane without a component that it should have: its manifest
// is not there, or the kubelet does not take it.
func absent(s Seen) (all []finding.Finding) {
	pods := s.planePods()
	for i := range s.Nodes {
		node := s.Nodes[i].Name
		if !kube.IsControlPlane(&s.Nodes[i]) || s.isSilent(node) {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(pods)) {
			if len(pods["kube-apiserver"]) == 0 || name == etcd && len(pods[etcd]) == 0 {
				continue // another distribution, or etcd is outside of the cluster
			}
			if pods[name][node] == nil {
				all = append(all, finding.Finding{ID: "API002", Severity: finding.Error, Nodes: []string{node},
					What: fmt.Sprintf("control plane %s has no %s", node, name), Evidence: "there is no pod kube-system/" + name + "-" + node,
					Cure: "on its host, see /etc/kubernetes/manifests/" + name + ".yaml, and what the kubelet says of it: journalctl -u kubelet"})
			}
		}
	}
	return all
}

// leaders is API003: no controller manager, or no scheduler, is at work. Leases are
// compared with those that the API servers renew, not with a clock of this machine.
func leaders(s Seen) (all []finding.Finding) {
	var now time.Time
	for _, l := range s.Leases {
		if l.Labels["apiserver.kubernetes.io/identity"] != "" && l.Spec.RenewTime != nil && l.Spec.RenewTime.After(now) {
			now = l.Spec.RenewTime.Time
		}
	}
	for _, l := range s.Leases {
		if l.Name != "kube-controller-manager" && l.Name != "kube-scheduler" || l.Spec.RenewTime == nil || now.IsZero() {
			continue
		}
		if behind := now.Sub(l.Spec.RenewTime.Time); behind > stale {
			all = append(all, finding.Finding{ID: "API003", Severity: finding.Error, What: "no " + l.Name + " is active",
				Evidence: fmt.Sprintf("lease kube-system/%s was renewed last %s before the API servers'", l.Name, behind.Round(time.Second)),
				Cure:     "see its pods: " + text.Command("kubectl", "-n", "kube-system", "get", "pods", "-l", "component="+l.Name)})
		}
	}
	return all
}

// quorum is ETCD001 and ETCD002: how many members of etcd may fail. The API tells of pods
// only, not of members.
func quorum(s Seen) []finding.Finding {
	pods := s.planePods()[etcd]
	var down []string
	for _, node := range slices.Sorted(maps.Keys(pods)) {
		if !kube.PodReady(pods[node]) || s.isSilent(node) {
			down = append(down, node)
		}
	}
	of, up := len(pods), len(pods)-len(down)
	spare := up - (of/2 + 1)
	switch {
	case len(down) > 0 && of > 1:
		return []finding.Finding{{ID: "ETCD001", Severity: finding.Error, Nodes: down,
			What:     fmt.Sprintf("%d of %d members of etcd are up: %d more may fail", up, of, max(spare, 0)),
			Evidence: "not ready: pods of " + text.Some(down),
			Cure: "bring it back; if its host is lost: " + text.Command("kubectl", "lifecycle", "remove", down[0], "--node-lost",
				"--dry-run")}}
	case of == 2:
		return []finding.Finding{{ID: "ETCD002", Severity: finding.Warning, What: "etcd has two members: if either fails, the cluster stops",
			Evidence: "pods of " + text.Some(slices.Sorted(maps.Keys(pods))),
			Cure:     "add a third control plane: kubectl lifecycle join --control-plane --wait"}}
	}
	return nil
}

// failing is API004: the API server says of itself that it is not ready.
func failing(s Seen) []finding.Finding {
	if len(s.Unready) == 0 {
		return nil
	}
	return []finding.Finding{{ID: "API004", Severity: finding.Error, What: "the API server that answered is not ready",
		Evidence: "/readyz: " + text.Brief(strings.Join(s.Unready, "; ")), Cure: "kubectl get --raw '/readyz?verbose'"}}
}
