// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
)

// usesNodeCIDRs names the network of the input that takes its pods' addresses from
// the nodes' pod CIDRs; empty if none does.
func (in Input) usesNodeCIDRs() string {
	if w := in.Wanted; w.CNI != "" {
		if TakesNodeCIDRs(w.CNI, w.IPAM) {
			return w.CNI
		}
		return ""
	}
	for _, n := range in.Networks {
		if TakesNodeCIDRs(n.CNI, n.Setting.IPAM) {
			return n.CNI
		}
	}
	return ""
}

// noPodCIDRs is CNI001: the cluster gives its nodes none at all (flannel#728).
func noPodCIDRs(in Input) []Finding {
	name := in.usesNodeCIDRs()
	hasOne := func(n facts.Node) bool { return len(n.PodCIDRs) > 0 || !n.Grown }
	if name == "" || len(in.linux()) == 0 || slices.ContainsFunc(in.linux(), hasOne) {
		return nil
	}
	evidence := "no node has spec.podCIDR"
	if len(in.Facts.Pods.CIDRs) == 0 {
		evidence += ", kubeadm-config no podSubnet, kube-proxy no clusterCIDR"
	}
	return []Finding{{
		ID: "CNI001", Severity: Error, Blocks: true, Evidence: evidence,
		What: fmt.Sprintf("the cluster gives its nodes no pod CIDRs, and %s takes its pods' addresses from those", name),
		Cure: "on each control plane, in /etc/kubernetes/manifests/kube-controller-manager.yaml: --allocate-node-cidrs=true " +
			"--cluster-cidr=RANGE; and the same range as podSubnet in configmap kube-system/kubeadm-config",
	}}
}

// nodesWithout is CNI019: some nodes have no pod CIDR, or none of a family
// (kubernetes#114560, flannel#2225).
func nodesWithout(in Input) []Finding {
	if in.usesNodeCIDRs() == "" || len(noPodCIDRs(in)) > 0 {
		return nil
	}
	var g grouper
	for _, n := range in.linux() {
		if why := facts.MissingFamily(n.PodCIDRs, in.Facts.Pods.CIDRs); why != "" && n.Grown && n.Absent == "" {
			g.add(why, n.Name)
		}
	}
	return g.each(func(why string, names []string) Finding {
		return Finding{
			ID: "CNI019", Severity: Error, Evidence: in.WhyLacking(), Cure: facts.LackingHint,
			What: fmt.Sprintf("pods on %s get no addresses: %s", nodes(names), why),
		}
	})
}

// otherPool is CNI002: addresses of pods come from outside of what the cluster
// takes for its pods, so that kube-proxy masquerades them (calico#683,
// flannel#1607).
func otherPool(in Input) []Finding {
	var out []Finding
	pods := in.Facts.Pods
	add := func(name string, pool []netip.Prefix, source string, blocks bool) {
		for _, p := range pool {
			if _, has := cidr.Family(pods.CIDRs, p.Addr().Is6()); has && !cidr.Contains(pods.CIDRs, p) {
				out = append(out, Finding{
					ID: "CNI002", Severity: Error, Blocks: blocks,
					What:     fmt.Sprintf("%s gives pods addresses of %s, and the cluster's pods are in %s", name, p, cidr.List(pods.CIDRs)),
					Evidence: source + ", against " + pods.Source,
					Cure: "install the network with the cluster's own range; pods outside of it are masqueraded, and policies see wrong sources. " +
						"A running pool is not changed: the network has to be reinstalled, node by node",
				})
			}
		}
	}
	_, running := in.Network(in.Wanted.CNI)
	add(in.Wanted.CNI, in.Wanted.Pool, "its values", !running)
	if in.Wanted.CNI == "" {
		for _, n := range in.Networks {
			add(n.CNI, n.Setting.Pool, n.Setting.Source, false)
		}
	}
	if len(in.Proxy.CIDRs) > 0 && len(pods.CIDRs) > 0 && !cidr.Same(in.Proxy.CIDRs, pods.CIDRs) {
		out = append(out, Finding{
			ID: "CNI002", Severity: Warning,
			What: fmt.Sprintf("kube-proxy takes %s for the pods' range, and the cluster's pods are in %s", cidr.List(in.Proxy.CIDRs),
				cidr.List(pods.CIDRs)),
			Evidence: "clusterCIDR of configmap kube-system/kube-proxy, against " + pods.Source,
			Cure: "correct clusterCIDR (kubectl -n kube-system edit configmap kube-proxy), then: kubectl -n kube-system rollout restart " +
				"daemonset kube-proxy",
		})
	}
	return append(out, otherServices(in)...)
}

// otherServices is CNI002 for a network that was told the Services' range.
func otherServices(in Input) []Finding {
	var out []Finding
	for _, n := range in.Networks {
		if s := n.Setting.Services; len(s) > 0 && len(in.Services.CIDRs) > 0 && !cidr.Same(s, in.Services.CIDRs) {
			out = append(out, Finding{
				ID: "CNI002", Severity: Error,
				What: fmt.Sprintf("%s takes %s for the Services' range, and the cluster's Services are in %s", n.CNI, cidr.List(s),
					cidr.List(in.Services.CIDRs)),
				Evidence: n.Setting.Source + ", against " + in.Services.Source,
				Cure:     "give the network the cluster's own range of Services, in the values of its chart",
			})
		}
	}
	return out
}

// overlaps is CNI003: two ranges that must be apart share addresses.
func overlaps(in Input) []Finding {
	var out []Finding
	spans := Map(in)
	_, running := in.Network(in.Wanted.CNI) // what it runs with is not made worse
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if x, y, bad := a.meets(b); bad {
				out = append(out, Finding{
					ID: "CNI003", Severity: Error, Blocks: !running,
					What:     fmt.Sprintf("%s (%s) and %s (%s) overlap: packets for the one go to the other", a.What, x, b.What, y),
					Evidence: a.Source + ", and " + b.Source,
					Cure: "the two must be apart: choose another range before the cluster is used. In a running one, neither the Services' nor the " +
						"pods' range can be changed without making its nodes again",
				})
			}
		}
	}
	return out
}

// sharedPodCIDRs is CNI003 for two nodes.
func sharedPodCIDRs(in Input) []Finding {
	a, b, found := in.Crossed()
	if !found {
		return nil
	}
	return []Finding{{
		ID: "CNI003", Severity: Error, Blocks: true, Evidence: "spec.podCIDRs of the two Nodes",
		What: fmt.Sprintf("the pod CIDRs of nodes %s and %s overlap: packets for the pods of one go to the other", a, b),
		Cure: "drain and remove one of them and let it join again; kube-controller-manager of each control plane must have the same " +
			"--cluster-cidr and --node-cidr-mask-size",
	}}
}

// livePool is CNI017: a running network would be given another pool, or another way
// to give out addresses (cilium#13766).
func livePool(in Input) []Finding {
	n, there := in.Network(in.Wanted.CNI)
	if !there {
		return nil
	}
	var out []Finding
	cure := "leave it as it is: pods that run keep their old addresses, and nodes their old ranges. To change it, make the network " +
		"again, node by node"
	if old, now := n.Setting.Pool, in.Wanted.Pool; len(old) > 0 && len(now) > 0 && !cidr.Same(old, now) {
		out = append(out, Finding{
			ID: "CNI017", Severity: Error, Blocks: true, Evidence: n.Setting.Source, Cure: cure,
			What: fmt.Sprintf("%s runs with the pool %s, and would be given %s", n.CNI, cidr.List(old), cidr.List(now)),
		})
	}
	if old, now := n.Setting.IPAM, in.Wanted.IPAM; old != "" && now != "" && old != now {
		out = append(out, Finding{
			ID: "CNI017", Severity: Error, Blocks: true, Evidence: n.Setting.Source, Cure: cure,
			What: fmt.Sprintf("%s runs with IPAM mode %s, and would be given %s", n.CNI, old, now),
		})
	}
	return out
}

// missingAddresses is CNI021: a node of a dual-stack cluster has addresses of one
// family only (kubernetes#100675).
func missingAddresses(in Input) []Finding {
	if len(in.Facts.Pods.CIDRs) < 2 {
		return nil
	}
	var g grouper
	for _, n := range in.linux() {
		for _, v6 := range []bool{false, true} {
			_, wanted := cidr.Family(in.Facts.Pods.CIDRs, v6)
			if wanted && len(n.Addresses) > 0 && !slices.ContainsFunc(n.Addresses, func(a netip.Addr) bool { return a.Is6() == v6 }) {
				g.add(family(v6), n.Name)
			}
		}
	}
	return g.each(func(family string, names []string) Finding {
		return Finding{
			ID: "CNI021", Severity: Warning, Evidence: "the InternalIPs of the Node",
			What: fmt.Sprintf("%s %s no %s address, and the cluster's pods have both families: their %s packets do not arrive", nodes(names),
				verb(len(names), "has", "have"), family, family),
			Cure: "give the kubelet both addresses (--node-ip=IPv4,IPv6 in /var/lib/kubelet/kubeadm-flags.env), then: systemctl restart kubelet",
		}
	})
}

func family(v6 bool) string {
	if v6 {
		return "IPv6"
	}
	return "IPv4"
}
