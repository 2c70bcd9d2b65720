// SPDX-License-Identifier: Apache-2.0

package hostfacts

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
)

// What a kubelet says about its own Node is not taken on trust: with a Node's
// credentials one may claim any address, and pod networks where no controller
// allocates them (NodeRestriction allows both). What is claimed decides, on every
// other host, which routes, flows and virtual services are Kubernetes'. So a network
// counts only where the cluster's owner has put it, and an address only if a node
// can have it.

// maxAddresses is how many addresses of one Node are taken: a kubelet reports one or
// two.
const maxAddresses = 8

// Networks are those of a cluster, as its owner has configured them.
type Networks struct {
	Pods, Services []netip.Prefix
}

// parseNetworks reads podSubnet and serviceSubnet from kubeadm's ClusterConfiguration;
// each is a comma-separated list of one or two networks. What is no network, or one
// that is too large to be one, is left out. It is pure.
func parseNetworks(config string) (Networks, error) {
	var cluster struct {
		Networking struct {
			PodSubnet     string `json:"podSubnet"`
			ServiceSubnet string `json:"serviceSubnet"`
		} `json:"networking"`
	}
	if err := yaml.Unmarshal([]byte(config), &cluster); err != nil {
		return Networks{}, err
	}
	return Networks{Pods: prefixes(splitList(cluster.Networking.PodSubnet)), Services: prefixes(splitList(cluster.Networking.ServiceSubnet))},
		nil
}

// parseExcludes reads excludeCIDRs from kube-proxy's configuration. kube-proxy does
// not start with one that is no network, so such a one excludes nothing. It is pure.
func parseExcludes(config string) ([]string, error) {
	var proxy struct {
		IPVS struct {
			ExcludeCIDRs []string `json:"excludeCIDRs"`
		} `json:"ipvs"`
	}
	if err := yaml.Unmarshal([]byte(config), &proxy); err != nil {
		return nil, err
	}
	var out []string
	for _, word := range proxy.IPVS.ExcludeCIDRs {
		// However large: what is excluded is left alone.
		if p, err := netip.ParsePrefix(strings.TrimSpace(word)); err == nil {
			out = append(out, p.Masked().String())
		}
	}
	return sortedUnique(out), nil
}

// prefixes are the networks among some words that can be one of pods or services: a
// cluster's may be as large as an eighth of IPv4's private 10.0.0.0/8 and more, but
// kubeadm takes no pod network whose mask is more than 16 bits shorter than a node's
// (podSubnetNodeMaskMaxDiff), which is /24 or /64 unless it was changed.
func prefixes(words []string) []netip.Prefix {
	const most4, most6 = 8, 32
	var out []netip.Prefix
	for _, word := range words {
		p, err := netip.ParsePrefix(word)
		if err != nil || p.Addr().Is4In6() || p.Addr().Is4() && p.Bits() < most4 || p.Addr().Is6() && p.Bits() < most6 ||
			!usable(p.Masked().Addr()) {
			continue
		}
		if p = p.Masked(); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// usable reports whether an address is one that hosts, pods and services have:
// unicast, and of a wider reach than a host or a link.
func usable(a netip.Addr) bool {
	return a.IsValid() && a.IsGlobalUnicast() && a.Zone() == ""
}

// podNetworks are the networks of the pods: those that kubeadm was told; else those
// that the controller manager allocates from; else, where no one but a kubelet has
// said anything, those of this very node, which are then its own host's matter, and
// none larger than 4,096 addresses (2^72 of IPv6): no kubelet runs more pods. It is
// pure.
func podNetworks(node *corev1.Node, configured, allocated []netip.Prefix) []netip.Prefix {
	const most4, most6 = 20, 56
	switch {
	case len(configured) > 0:
		return configured
	case len(allocated) > 0:
		return allocated
	}
	return slices.DeleteFunc(prefixes(node.Spec.PodCIDRs), func(p netip.Prefix) bool {
		return p.Addr().Is4() && p.Bits() < most4 || p.Addr().Is6() && p.Bits() < most6
	})
}

// nodeAddresses are the internal addresses of all nodes that a node can have: no
// loopback, multicast or link's own, and none in a network of pods or services. That
// two Nodes claim the same adds nothing to what one of them claims, and takes nothing
// from it: a host that was renamed is two Nodes for a while. It is pure; sorted.
func nodeAddresses(nodes []corev1.Node, never []netip.Prefix) []string {
	var out []string
	for i := range nodes {
		n := 0
		for _, address := range nodes[i].Status.Addresses {
			if address.Type != corev1.NodeInternalIP || n == maxAddresses {
				continue
			}
			n++
			ip, err := netip.ParseAddr(address.Address)
			if err != nil || !usable(ip) || slices.ContainsFunc(never, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
				continue
			}
			out = append(out, ip.Unmap().String())
		}
	}
	return sortedUnique(out)
}

// nodePods are the pod networks of nodes, each after an address of that node which is one of
// some. It is pure; sorted.
func nodePods(nodes []corev1.Node, addresses []string) []string {
	var out []string
	for i := range nodes {
		own := nodeAddresses(nodes[i:i+1], nil)
		networks := prefixes(nodes[i].Spec.PodCIDRs)
		for _, network := range networks[:min(len(networks), maxFamilies)] {
			for _, address := range own {
				_, listed := slices.BinarySearch(addresses, address)
				if listed && netip.MustParseAddr(address).Is4() == network.Addr().Is4() {
					out = append(out, address+" "+network.Masked().String())
				}
			}
		}
	}
	return sortedUnique(out)
}

// maxFamilies is how many pod networks a node has at most: one of each family.
const maxFamilies = 2

// maxAnnounced is how many addresses of load balancers travel to a host.
const maxAnnounced = inventory.MostAnnounced

// balancerAddresses are the addresses at which Services are reached from outside: what
// their load balancers have, what is asked of one, and their external IPs, which others
// put on a link, too, and leave there (kube-vip/kube-vip#996). Those that a Node has itself
// are not among them, which a balancer without addresses of its own announces (ServiceLB).
// Nothing goes for them: they are named. It is pure; sorted.
func balancerAddresses(services []corev1.Service, nodes []corev1.Node) []string {
	own := map[string]bool{}
	for i := range nodes {
		for _, address := range nodes[i].Status.Addresses {
			own[address.Address] = true
		}
	}
	var out []string
	for i := range services {
		for _, address := range serviceAddresses(&services[i]) {
			ip, err := netip.ParseAddr(address)
			if err == nil && usable(ip) && !own[ip.Unmap().String()] {
				out = append(out, ip.Unmap().String())
			}
		}
	}
	out = sortedUnique(out)
	return out[:min(len(out), maxAnnounced)]
}

// serviceAddresses are a Service's of the outside, as they are written.
func serviceAddresses(s *corev1.Service) []string {
	out := slices.Clone(s.Spec.ExternalIPs)
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return out
	}
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		out = append(out, ingress.IP)
	}
	out = append(out, s.Spec.LoadBalancerIP)
	return append(out, splitList(s.Annotations["kube-vip.io/loadbalancerIPs"])...)
}

// allocatedNetworks are those from which the controller manager allocates the nodes'
// pod networks, by the arguments of its static pods on control planes; none if it
// allocates none. A pod of that name elsewhere can be made by a user who may create mirror pods
// there, and says nothing. It is pure.
func allocatedNetworks(nodes []corev1.Node, pods []corev1.Pod) []netip.Prefix {
	var out []netip.Prefix
	for _, pod := range pods {
		_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
		there := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == pod.Spec.NodeName })
		if !mirror || there < 0 || !kubenode.IsControlPlane(&nodes[there]) {
			continue
		}
		for _, c := range pod.Spec.Containers {
			if c.Name != "kube-controller-manager" {
				continue
			}
			words := slices.Concat(c.Command, c.Args)
			if argument(words, "allocate-node-cidrs") == "true" {
				out = append(out, prefixes(splitList(argument(words, "cluster-cidr")))...)
			}
		}
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Compare(b) })
	return slices.Compact(out)
}

// argument is the value of --name=value among some words, the last one's; "true" of a
// flag without one.
func argument(words []string, name string) (value string) {
	for _, word := range words {
		if word == "--"+name {
			value = "true"
		}
		if v, ok := strings.CutPrefix(word, "--"+name+"="); ok {
			value = v
		}
	}
	return value
}

func texts(all []netip.Prefix) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return sortedUnique(out)
}

func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func sortedUnique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// parseError says in which of the cluster's ConfigMaps something cannot be read.
func parseError(what, configMap string, err error) error {
	return fmt.Errorf("parse %s in configmap kube-system/%s: %w", what, configMap, err)
}
