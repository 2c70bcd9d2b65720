// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// grown is the age at which a node has been given what its controllers give it:
// its pod CIDR, a first word of its kubelet.
const grown = time.Minute

// longAgo says whether a time is so far back that its controllers have had
// theirs. One that is not known is not.
func longAgo(now, then time.Time) bool { return !then.IsZero() && now.Sub(then) > grown }

// absence says why nothing can be expected of a node now, whatever its network
// does; empty if something can. A node that waits for its network is not
// absent.
func absence(node *corev1.Node, now time.Time) string {
	if node.DeletionTimestamp != nil {
		return "it is being deleted"
	}
	for _, t := range node.Spec.Taints {
		if t.Key == corev1.TaintNodeOutOfService {
			return "it was given up (taint " + t.Key + ")"
		}
	}
	for _, c := range node.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
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

// lacks says what a node needs and has not been given for so long that it never
// will be: a pod CIDR of each family that the pods have.
func lacks(node *corev1.Node, pods []netip.Prefix, now time.Time) string {
	if !longAgo(now, node.CreationTimestamp.Time) {
		return ""
	}
	own, _ := parseCIDRs(strings.Join(node.Spec.PodCIDRs, ","))
	return missingFamily(own, pods)
}

// missingFamily says which pod CIDR a node has not.
func missingFamily(own, pods []netip.Prefix) string {
	if len(own) == 0 {
		return "it has no pod CIDR"
	}
	for _, v6 := range []bool{false, true} {
		if _, wanted := family(pods, v6); !wanted {
			continue
		}
		if _, has := family(own, v6); !has {
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

// whyLacking says why a node was given no pod CIDR, as far as the others tell:
// the range is full, or nobody gives any out.
func whyLacking(nodes []Node, pods []netip.Prefix) string {
	for _, p := range pods {
		taken, bits := 0, 0
		for _, n := range nodes {
			for _, own := range n.PodCIDRs {
				if own.Addr().Is6() == p.Addr().Is6() && contains([]netip.Prefix{p}, own) {
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

const lackingHint = `free some: remove nodes that are gone (kubectl get nodes); else see what kube-controller-manager does, on each
control plane in /etc/kubernetes/manifests/kube-controller-manager.yaml: --allocate-node-cidrs=true --cluster-cidr=…;
a node that was given none joins again once it is there`

// crossed finds two nodes whose pod CIDRs share addresses: packets for one
// arrive at the other. Sorted, what overlaps is next to each other.
func crossed(nodes []Node) (a, b string, found bool) {
	type owned struct {
		netip.Prefix
		node string
	}
	var all []owned
	for _, n := range nodes {
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
