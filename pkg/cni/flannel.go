// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// recipe is how one network is installed.
type recipe struct {
	// name is of the network, of its chart, and of the release.
	name string
	// repository and version are where the chart is taken from, unless the
	// person says otherwise.
	repository, version string
	// namespace is where the release goes; daemonSet is the agents' in it.
	namespace, daemonSet string
	// images are the values that name where the images come from.
	images []string
	// needsProxy: it does not do kube-proxy's work.
	needsProxy bool
	// values are those that must agree with the cluster, or a refusal. The
	// person's are given because a cluster may not say everything.
	values func(Facts, map[string]any) ([]Setting, error)
	// onNode says what the agent has not yet written on its node; empty if all
	// is there.
	onNode func(*corev1.Node) string
}

// recipes lists what can be installed.
func recipes() []recipe {
	return []recipe{{
		name:       "flannel",
		repository: "https://flannel-io.github.io/flannel",
		version:    "v0.28.4",
		namespace:  "kube-flannel",
		daemonSet:  "kube-flannel-ds",
		images:     []string{"flannel.image.repository", "flannel.flannel_cni.image.repository"},
		needsProxy: true,
		values:     flannelValues,
		onNode:     flannelOnNode,
	}}
}

// The values of flannel's chart for its IPv4 and IPv6 networks.
const (
	flannelV4 = "podCidr"
	flannelV6 = "podCidrv6"
)

// flannelValues computes podCidr and podCidrv6. The chart's default for podCidr
// is 10.244.0.0/16, right or not, so that one is always set; it has to be empty
// in a cluster with IPv6 alone.
func flannelValues(f Facts, user map[string]any) ([]Setting, error) {
	pods, err := flannelRange(f, user)
	if err != nil {
		return nil, err
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	v4, has4 := family(pods.CIDRs, false)
	v6, has6 := family(pods.CIDRs, true)
	reason := "from the cluster: " + pods.Source
	if len(f.Pods.CIDRs) == 0 {
		reason = pods.Source + " (the cluster does not say it)"
	}
	settings := []Setting{{Path: flannelV4, Value: "", Reason: "there are no IPv4 pods: " + pods.Source}}
	if has4 {
		settings[0] = Setting{Path: flannelV4, Value: v4.String(), Reason: reason}
	}
	if has6 {
		settings = append(settings, Setting{Path: flannelV6, Value: v6.String(), Reason: reason})
	}
	return settings, contradictions(pods, user)
}

// flannelRange is the cluster's pod range. Where the cluster does not say it,
// the person may, if the nodes' own ranges lie in it.
func flannelRange(f Facts, user map[string]any) (Range, error) {
	if len(f.Pods.CIDRs) > 0 {
		return f.Pods, nil
	}
	var words []string
	for _, path := range []string{flannelV4, flannelV6} {
		if s, ok := user[path].(string); ok && s != "" {
			words = append(words, s)
		}
	}
	if len(words) == 0 {
		return Range{}, unset(f)
	}
	prefixes, err := parseCIDRs(strings.Join(words, ","))
	if err != nil {
		return Range{}, plan.As(plan.Misused, fmt.Errorf("value %s or %s: %w", flannelV4, flannelV6, err))
	}
	return Range{CIDRs: prefixes, Source: "--set or --values"}, nil
}

// unset refuses a cluster that does not say its pods' range. Its nodes may have
// pod CIDRs all the same: the controller manager was given the range by hand.
func unset(f Facts) error {
	err := errors.New("the pod CIDR of this cluster is not set: neither kubeadm nor kube-proxy knows one")
	for _, n := range f.Nodes {
		if len(n.PodCIDRs) > 0 {
			return plan.Refuse(err, "node %s has %s: name the whole range that the nodes' were cut from (--cluster-cidr of kube-controller-manager): --set %s=…",
				n.Name, listed(n.PodCIDRs), flannelV4)
		}
	}
	return plan.Refuse(err, "%s", unsetHint)
}

const unsetHint = `a running cluster gets one in two places:
1. on every control plane, in /etc/kubernetes/manifests/kube-controller-manager.yaml:
   --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16
2. kubectl -n kube-system edit configmap kubeadm-config: networking.podSubnet: 10.244.0.0/16
then run this again (a new cluster: kubeadm init --pod-network-cidr=10.244.0.0/16)`

// agree refuses a cluster whose ranges contradict each other. With a range that
// holds a Service's or a node's address, packets to it go the wrong way.
func agree(f Facts, pods Range) error {
	if p, s, found := overlap(pods.CIDRs, f.Services.CIDRs); found {
		return plan.Refuse(fmt.Errorf("the pods' CIDR %s (%s) overlaps the Services' %s (%s)", p, pods.Source, s, f.Services.Source),
			"the two must be apart; neither can be changed in a running cluster without making its nodes anew")
	}
	without := 0
	for _, n := range f.Nodes {
		if len(n.PodCIDRs) == 0 {
			without++
		}
		for _, p := range n.PodCIDRs {
			if _, has := family(pods.CIDRs, p.Addr().Is6()); has && !contains(pods.CIDRs, p) {
				return plan.Refuse(fmt.Errorf("node %s has the pod CIDR %s, which is not in %s (%s)", n.Name, p, listed(pods.CIDRs), pods.Source),
					"drain and remove the node and let it join again, or correct the range where it was read")
			}
		}
		for _, a := range n.Addresses {
			if contains(pods.CIDRs, hostPrefix(a)) {
				return plan.Refuse(fmt.Errorf("node %s has the address %s, which is in the pods' CIDR %s (%s)", n.Name, a, listed(pods.CIDRs), pods.Source),
					"choose a pod CIDR apart from the nodes' network: pods could never reach that node")
			}
		}
	}
	if len(f.Nodes) > 0 && without == len(f.Nodes) {
		return plan.Refuse(errors.New("no node has a pod CIDR of its own (spec.podCIDR), and flannel serves only nodes that have one"), "%s", unallocatedHint)
	}
	return nil
}

const unallocatedHint = `in a cluster that has just been made, run this again in some seconds; else:
kube-controller-manager gives them out; on every control plane, in
/etc/kubernetes/manifests/kube-controller-manager.yaml: --allocate-node-cidrs=true --cluster-cidr=<the pod CIDR>`

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// contradictions refuses values that differ from the cluster's range: outside
// of kube-proxy's clusterCIDR, traffic to Services is masqueraded and network
// policies see the wrong source (flannel#1607).
func contradictions(pods Range, user map[string]any) error {
	for _, path := range []string{flannelV4, flannelV6} {
		value, given := user[path]
		if !given || value == nil {
			continue
		}
		got, err := parseCIDRs(fmt.Sprint(value))
		if err != nil {
			return plan.As(plan.Misused, fmt.Errorf("value %s: %w", path, err))
		}
		want := slices.DeleteFunc(slices.Clone(pods.CIDRs), func(p netip.Prefix) bool { return p.Addr().Is6() != (path == flannelV6) })
		if !same(got, want) {
			return plan.Refuse(fmt.Errorf("value %s=%v contradicts the cluster, whose pods are in %s (%s)", path, value, listed(pods.CIDRs), pods.Source),
				"leave %s out: it is read from the cluster", path)
		}
	}
	return nil
}

// flannelOnNode looks for what flannel's agent writes on its node once it has a
// lease: others cannot route to the node before (flannel v0.28, subnet manager
// "kube").
func flannelOnNode(node *corev1.Node) string {
	const prefix = "flannel.alpha.coreos.com/"
	if node.Annotations[prefix+"kube-subnet-manager"] != "true" {
		return "no annotation " + prefix + "kube-subnet-manager yet"
	}
	if node.Annotations[prefix+"public-ip"] == "" && node.Annotations[prefix+"public-ipv6"] == "" {
		return "no annotation " + prefix + "public-ip yet"
	}
	return ""
}
