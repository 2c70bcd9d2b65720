// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Stage is how far a host has come. Later stages are greater.
type Stage int

// The stages in their order, each with who brings about the next one.
const (
	// Awaited: no request yet; the host has to run its command.
	Awaited Stage = iota
	// Requested: a certificate is asked for; csrapproving approves it.
	Requested
	// Approved: csrsigning issues it.
	Approved
	// Issued: the kubelet fetches its certificate, still with the token, and
	// makes its Node.
	Issued
	// Registered: there is a Node, made with the host's own credentials: the
	// token has done its work. Ready once runtime and network are.
	Registered
	// Ready is the end, once the taints that others take off are gone, or have
	// stayed for half a minute.
	Ready
)

// String is the stage in one lower-case word.
func (s Stage) String() string {
	names := [...]string{"awaited", "requested", "approved", "issued", "registered", "ready"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// Arrival is how far a host has come, and why not further.
type Arrival struct {
	Stage Stage
	// Node is the name the host asked for; empty while it is awaited.
	Node string
	// Request is the name of the CertificateSigningRequest.
	Request string
	// Reason says what keeps the host from the next stage; empty when Ready.
	Reason string
	// Hint is what would help; empty if waiting does.
	Hint string
	// Away is what keeps pods away from a node that is Ready: a cordon, taints.
	Away []check.Warning
}

// sight is what can be seen of one host.
type sight struct {
	request request
	node    *corev1.Node
	pods    []*corev1.Pod
	// settled says that the node has been there for a while, so that what is
	// not on it may be called missing.
	settled bool
	// sandbox is why a pod that is starting gets no sandbox, by its UID, as far as that was
	// asked.
	sandbox map[types.UID]string
	// note says who cordoned the node; may be nil.
	note check.CordonNote
}

// judge decides how far a host has come. A zero request is a host not seen.
func judge(s sight) Arrival {
	csr := s.request.CertificateSigningRequest
	if csr == nil {
		return Arrival{Stage: Awaited, Reason: "no certificate request yet", Hint: "run the join command on the host, as root"}
	}
	a := Arrival{Node: s.request.node, Request: csr.Name}
	switch {
	case len(csr.Status.Certificate) == 0 && condition(csr, certificatesv1.CertificateApproved) == nil:
		a.Stage, a.Reason = Requested, "its certificate request "+csr.Name+" is pending"
		a.Hint = "does kube-controller-manager run? To approve by hand: kubectl certificate approve " + text.Quote(csr.Name)
	case len(csr.Status.Certificate) == 0:
		a.Stage, a.Reason = Approved, "its certificate request "+csr.Name+" is approved, not issued"
		a.Hint = "the csrsigning controller of kube-controller-manager issues it, if it runs and has the key of the cluster's authority (ca.key)"
	case s.node == nil:
		a.Stage, a.Reason = Issued, "it has its certificate, and has not registered its node yet"
		a.Hint = "if it stays so, look on the host: journalctl -u kubelet"
	case !kube.NodeReady(s.node):
		a.Stage = Registered
		a.Reason, a.Hint = notReady(s)
	default:
		a.Stage, a.Away = Ready, check.WarningsOf(check.Barriers(s.node, s.note))
	}
	return a
}

// notReady says why a registered node is not Ready: by its own condition, and
// by the pods on it that can be the network's agent.
func notReady(s sight) (reason, hint string) {
	message := "its kubelet has not reported yet"
	if c := kube.ReadyCondition(s.node); c != nil {
		message = strings.TrimSuffix(text.Brief(c.Message), ".")
	}
	parts := []string{message}
	agents := agentsOf(s.pods)
	var first *corev1.Pod
	for _, pod := range agents {
		why := unready(pod)
		if failure := s.sandbox[pod.UID]; vague(why) && failure != "" {
			why = failure
		}
		if why != "" {
			parts = append(parts, fmt.Sprintf("%s/%s: %s", pod.Namespace, pod.Name, why))
			first = cmp.Or(first, pod)
		}
	}
	hint = "look at it: kubectl describe node " + text.Quote(s.node.Name)
	noNetwork := strings.Contains(message, "cni plugin not initialized") || strings.Contains(message, "NetworkPluginNotReady")
	switch {
	case len(parts) > 1:
		hint = "look at it: " + text.Command("kubectl", "-n", first.Namespace, "describe", "pod", first.Name)
	case !noNetwork || !s.settled:
	case len(agents) == 0:
		parts = append(parts, "no network agent is on it")
		hint = "give the cluster a network: kubectl lifecycle cni install flannel"
	default:
		// containerd/containerd#8419
		hint = "the network's agent is up: if it stays so, the runtime has lost sight of /etc/cni/net.d; on the host: systemctl restart " +
			"containerd"
	}
	return strings.Join(parts, "; "), hint
}

// agentsOf finds the pods that can be a network's agent: of a DaemonSet, in the
// host's network since there is no other yet, and not kube-proxy. Sorted.
func agentsOf(pods []*corev1.Pod) []*corev1.Pod {
	var agents []*corev1.Pod
	for _, pod := range pods {
		owner := metav1.GetControllerOf(pod)
		if owner == nil || owner.Kind != "DaemonSet" || owner.Name == "kube-proxy" || !pod.Spec.HostNetwork {
			continue
		}
		agents = append(agents, pod)
	}
	slices.SortFunc(agents, func(a, b *corev1.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return agents
}

// unready says why a pod is not ready; empty if it is.
func unready(pod *corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
			return ""
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			return text.Brief(c.Reason + ": " + c.Message)
		}
	}
	for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		// PodInitializing only says that an earlier container is not done.
		if w := c.State.Waiting; w != nil && w.Reason != "PodInitializing" {
			if w.Message == "" {
				return text.Brief(w.Reason)
			}
			return text.Brief(w.Reason + ": " + w.Message)
		}
	}
	return starting
}

// starting is a pod of which its status says nothing more.
const starting = "starting"

// vague reports whether why a pod is not ready says only that it is on its way.
func vague(why string) bool { return why == starting || why == "ContainerCreating" }
