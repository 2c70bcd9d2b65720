// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
)

// maxTwins bounds how many addresses are kept that several pods have, maxHolders how
// many pods are named for one of them.
const maxTwins, maxHolders = 1000, 5

// Misplaced are pods of one node with addresses that the network does not give out
// there: something else gave them, and no route leads to them.
type Misplaced struct {
	Node string `json:"node"`
	Pods int    `json:"pods"`
	// CIDRs are the node's own, Pod ("namespace/name") and Address one example.
	CIDRs   []netip.Prefix `json:"podCIDRs"`
	Pod     string         `json:"pod"`
	Address netip.Addr     `json:"address"`
}

// Twin is an address that several pods have.
type Twin struct {
	Address netip.Addr `json:"address"`
	Pods    int        `json:"pods"`
	// Holders are the first of them.
	Holders []Holder `json:"holders"`
}

// Holder is a pod with an address, "namespace/name", and its node.
type Holder struct {
	Pod  string `json:"pod"`
	Node string `json:"node"`
}

// holder is a pod while pods are counted.
type holder struct{ namespace, name, node string }

func (h holder) named() Holder { return Holder{Pod: h.namespace + "/" + h.name, Node: h.node} }

// place is a node of the network while pods are counted. Whose pods show nothing of
// today has none: a node that does not answer keeps the status of its pods.
type place struct {
	// own are the pod CIDRs of a node on which the network gives out those alone.
	own []netip.Prefix
	// served says that an agent of the network is there.
	served    bool
	misplaced Misplaced
}

// OfNode says whether a network gives out the addresses of the nodes' pod CIDRs, by its
// name and its own word for who gives out addresses.
type OfNode func(network, ipam string) bool

// placesOf are the nodes whose pods are compared, by name.
func placesOf(f Facts, o Objects, ofNode OfNode) map[string]*place {
	places := make(map[string]*place, len(f.Nodes))
	for _, n := range f.Nodes {
		if n.Absent == "" {
			places[n.Name] = &place{}
		}
	}
	other := func(n Network) bool { return !ofNode(n.CNI, n.Setting.IPAM) }
	if len(f.Networks) == 0 || slices.ContainsFunc(f.Networks, other) {
		return places
	}
	for i, n := range f.Nodes {
		if p := places[n.Name]; p != nil && (i >= len(o.Nodes) || !leased(f.Networks, o.Nodes[i])) {
			p.own = n.PodCIDRs
		}
	}
	return places
}

// leased says whether the network of a node gives out addresses of a range that stands
// elsewhere than in the Node's spec: flannel with its own etcd does not say that the API
// server is its store, and kube-router can be told another range.
func leased(networks []Network, node *corev1.Node) bool {
	if node.Annotations["kube-router.io/pod-cidr"]+node.Annotations["kube-router.io/pod-cidrs"] != "" {
		return true
	}
	flannel := slices.ContainsFunc(networks, func(n Network) bool { return n.CNI == "flannel" || n.CNI == "canal" })
	return flannel && node.Annotations["flannel.alpha.coreos.com/kube-subnet-manager"] != "true"
}

// serve notes an agent of the network.
func (p *place) serve(pod *corev1.Pod) {
	if p != nil && pod.DeletionTimestamp == nil {
		p.served = true
	}
}

// check notes a pod with an address that the network does not give out on its node. A
// node without a pod CIDR of a family is a finding of its own.
func (p *place) check(pod *corev1.Pod, all []netip.Addr) {
	if p == nil || pod.DeletionTimestamp != nil {
		return
	}
	for _, addr := range all {
		if _, has := cidr.Family(p.own, addr.Is6()); !has || cidr.Contains(p.own, cidr.Host(addr)) {
			continue
		}
		if p.misplaced.Pods == 0 {
			p.misplaced = Misplaced{Node: pod.Spec.NodeName, CIDRs: p.own, Pod: pod.Namespace + "/" + pod.Name, Address: addr}
		}
		p.misplaced.Pods++
		return
	}
}

// share notes who has the addresses of a pod: its own, unless it is going away.
func (c *count) share(pod *corev1.Pod, all []netip.Addr) {
	if pod.DeletionTimestamp != nil || c.places[pod.Spec.NodeName] == nil {
		return
	}
	now := holder{namespace: pod.Namespace, name: pod.Name, node: pod.Spec.NodeName}
	for _, addr := range all {
		first, taken := c.holders[addr]
		switch {
		case !taken:
			c.holders[addr] = now
			continue
		case first == now:
			continue // one address twice in one status
		case c.twins[addr] == nil && len(c.twins) < maxTwins:
			c.twins[addr] = &Twin{Address: addr, Pods: 1, Holders: []Holder{first.named()}}
		}
		if t := c.twins[addr]; t != nil {
			t.Pods++
			if len(t.Holders) < maxHolders {
				t.Holders = append(t.Holders, now.named())
			}
		}
	}
}

// place puts together what was noted of the nodes on which the network has an agent:
// what other nodes' pods have for addresses, say those of a simulated kubelet, is no
// work of the network.
func (c *count) place() {
	for _, p := range c.places {
		if p.served && p.misplaced.Pods > 0 {
			c.out.Misplaced = append(c.out.Misplaced, p.misplaced)
			c.out.Inside -= p.misplaced.Pods
		}
	}
	slices.SortFunc(c.out.Misplaced, func(a, b Misplaced) int { return strings.Compare(a.Node, b.Node) })
	for _, t := range c.twins {
		slices.SortFunc(t.Holders, func(a, b Holder) int { return strings.Compare(a.Pod, b.Pod) })
		if !slices.ContainsFunc(t.Holders, func(h Holder) bool { return !c.places[h.Node].served }) {
			c.out.Twins = append(c.out.Twins, *t)
		}
	}
	slices.SortFunc(c.out.Twins, func(a, b Twin) int { return a.Address.Compare(b.Address) })
}

// addressesOf are the addresses of a pod, of both families; what is none is left out.
func addressesOf(pod *corev1.Pod) []netip.Addr {
	words := []string{pod.Status.PodIP}
	for _, ip := range pod.Status.PodIPs {
		if ip.IP != pod.Status.PodIP {
			words = append(words, ip.IP)
		}
	}
	out := make([]netip.Addr, 0, len(words))
	for _, w := range words {
		if addr, err := cidr.ParseAddress(w); err == nil {
			out = append(out, addr)
		}
	}
	return out
}
