// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// grown is the age at which a node has been given what its controllers give it:
// its pod CIDR, a first word of its kubelet.
const grown = time.Minute

// longAgo says whether a time is so far back that its controllers have had
// theirs. One that is not known is not.
func longAgo(now, then time.Time) bool { return !then.IsZero() && now.Sub(then) > grown }

// Absence says why nothing can be expected of a node now, whatever its network
// does; empty if something can. A node that waits for its network is not
// absent.
func Absence(node *corev1.Node, now time.Time) string {
	if node.DeletionTimestamp != nil {
		return "it is being deleted"
	}
	for _, t := range node.Spec.Taints {
		if t.Key == corev1.TaintNodeOutOfService {
			return "it was given up (taint " + t.Key + ")"
		}
	}
	if c := kube.ReadyCondition(node); c != nil {
		switch {
		case c.Status == corev1.ConditionUnknown:
			return "NotReady, its kubelet does not answer"
		case c.Status == corev1.ConditionFalse && longAgo(now, c.LastTransitionTime.Time) && !ofNetwork(c.Reason+" "+c.Message):
			return "NotReady, not for its network: " + text.Short(c.Message, 200)
		}
		return ""
	}
	if longAgo(now, node.CreationTimestamp.Time) {
		return "its kubelet has never reported"
	}
	return ""
}

// ofNetwork tells by a kubelet's words that it is the network which a node lacks.
func ofNetwork(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "network") || strings.Contains(message, "cni")
}

// Lacks says what a node needs and has not been given for so long that it never
// will be: a pod CIDR of each family that the pods have.
func Lacks(node *corev1.Node, pods []netip.Prefix, now time.Time) string {
	if !longAgo(now, node.CreationTimestamp.Time) {
		return ""
	}
	own, _ := cidr.Parse(strings.Join(node.Spec.PodCIDRs, ","))
	return MissingFamily(own, pods)
}

// MissingFamily says which pod CIDR a node has not.
func MissingFamily(own, pods []netip.Prefix) string {
	if len(own) == 0 {
		return "it has no pod CIDR"
	}
	for _, v6 := range []bool{false, true} {
		if _, wanted := cidr.Family(pods, v6); !wanted {
			continue
		}
		if _, has := cidr.Family(own, v6); !has {
			return "it has no pod CIDR of " + familyName(v6)
		}
	}
	return ""
}

func familyName(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}

// WhyLacking says why a node was given no pod CIDR, as far as the others tell:
// the range is full, or no controller gives any out.
func (f Facts) WhyLacking() string {
	for _, p := range f.Pods.CIDRs {
		taken, bits := 0, 0
		for _, n := range f.Nodes {
			for _, own := range n.PodCIDRs {
				if own.Addr().Is6() == p.Addr().Is6() && cidr.Contains([]netip.Prefix{p}, own) {
					taken, bits = taken+1, max(bits, own.Bits())
				}
			}
		}
		if free := bits - p.Bits(); taken > 0 && free < 31 && taken >= 1<<free {
			return fmt.Sprintf("the range %s is full: it holds %d of /%d, and all are given out", p, 1<<free, bits)
		}
	}
	return "kube-controller-manager gives none out: it does not run, or without --allocate-node-cidrs=true"
}

// LackingHint is the way out of a node without a pod CIDR.
const LackingHint = `free some: remove nodes that are gone (kubectl get nodes); else see what kube-controller-manager does, on each
control plane in /etc/kubernetes/manifests/kube-controller-manager.yaml: --allocate-node-cidrs=true --cluster-cidr=…;
a node that was given none joins again once it is there`

// Crossed finds two nodes whose pod CIDRs share addresses: packets for one
// arrive at the other. Sorted, what overlaps is next to each other.
func (f Facts) Crossed() (a, b string, found bool) {
	type owned struct {
		netip.Prefix
		node string
	}
	var all []owned
	for _, n := range f.Nodes {
		for _, p := range n.PodCIDRs {
			all = append(all, owned{p, n.Name})
		}
	}
	slices.SortFunc(all, func(a, b owned) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	for i := 1; i < len(all); i++ {
		if x, y := all[i-1], all[i]; x.Overlaps(y.Prefix) && x.node != y.node {
			return fmt.Sprintf("%s (%s)", x.node, x.Prefix), fmt.Sprintf("%s (%s)", y.node, y.Prefix), true
		}
	}
	return "", "", false
}

// nodeFacts reads a node. A CIDR or address that cannot be read is left out:
// the API server has validated them.
func nodeFacts(node *corev1.Node) Node {
	now := time.Now()
	n := Node{Name: node.Name, OS: OS(node), Absent: Absence(node, now), Grown: longAgo(now, node.CreationTimestamp.Time),
		Labels: node.Labels}
	_, n.ControlPlane = node.Labels["node-role.kubernetes.io/control-plane"]
	info := node.Status.NodeInfo
	n.Kernel, n.Runtime, n.Arch = info.KernelVersion, info.ContainerRuntimeVersion, info.Architecture
	n.PodCIDRs, _ = cidr.Parse(strings.Join(node.Spec.PodCIDRs, ","))
	for _, a := range node.Status.Addresses {
		if addr, err := cidr.ParseAddress(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
			n.Addresses = append(n.Addresses, addr)
		}
	}
	n.Ready, n.Message = Readiness(node)
	return n
}

// OS is the label, which the kubelet sets before its first status.
func OS(node *corev1.Node) string {
	if os := node.Labels[corev1.LabelOSStable]; os != "" {
		return os
	}
	if os := node.Status.NodeInfo.OperatingSystem; os != "" {
		return os
	}
	return "linux"
}

// Readiness says whether a node is Ready, else what its kubelet or the node
// controller says.
func Readiness(node *corev1.Node) (ready bool, message string) {
	c := kube.ReadyCondition(node)
	switch {
	case c == nil:
		return false, "its kubelet has not reported yet"
	case c.Status == corev1.ConditionTrue:
		return true, ""
	case c.Message != "":
		return false, c.Message
	}
	return false, c.Reason
}
