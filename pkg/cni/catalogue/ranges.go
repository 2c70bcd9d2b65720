// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// podRange is the cluster's pod range. Where the cluster does not say it, the
// person may by the values of these paths, if the nodes' own ranges lie in it.
func podRange(f facts.Facts, person map[string]any, v4, v6 string) (facts.Range, error) {
	if len(f.Pods.CIDRs) > 0 {
		return f.Pods, nil
	}
	var words []string
	for _, path := range []string{v4, v6} {
		if s := values.Text(person, path); s != "" {
			words = append(words, s)
		}
	}
	if len(words) == 0 {
		return facts.Range{}, unset(f, v4)
	}
	prefixes, err := cidr.Parse(strings.Join(words, ","))
	if err != nil {
		return facts.Range{}, plan.As(plan.Misused, fmt.Errorf("value %s or %s: %w", v4, v6, err))
	}
	return facts.Range{CIDRs: prefixes, Source: "--set or --values"}, nil
}

// unset refuses a cluster that does not say its pods' range. Its nodes may have
// pod CIDRs all the same: the controller manager was given the range by hand.
func unset(f facts.Facts, path string) error {
	err := errors.New("the pod CIDR of this cluster is not set: neither kubeadm nor kube-proxy knows one")
	for _, n := range f.Nodes {
		if len(n.PodCIDRs) > 0 {
			return pitfall("CNI001", err, "node %s has %s: name the whole range that the nodes' were cut from (--cluster-cidr of "+
				"kube-controller-manager): --set %s=…",
				n.Name, cidr.List(n.PodCIDRs), path)
		}
	}
	return pitfall("CNI001", err, "%s", unsetHint)
}

const unsetHint = `a running cluster gets one in two places:
1. on every control plane, in /etc/kubernetes/manifests/kube-controller-manager.yaml:
   --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16
2. kubectl -n kube-system edit configmap kubeadm-config: networking.podSubnet: 10.244.0.0/16
then run this again (a new cluster: kubeadm init --pod-network-cidr=10.244.0.0/16)`

// agree refuses a cluster whose ranges contradict each other. With a range that
// holds a Service's or a node's address, packets to it go the wrong way.
func agree(f facts.Facts, pods facts.Range) error {
	if p, s, found := cidr.Overlap(pods.CIDRs, f.Services.CIDRs); found {
		return pitfall("CNI003", fmt.Errorf("the pods' CIDR %s (%s) overlaps the Services' %s (%s)", p, pods.Source, s, f.Services.Source),
			"the two must not overlap; changing either in a running cluster means joining every node again")
	}
	if a, b, found := f.Crossed(); found {
		return pitfall("CNI003", fmt.Errorf("the pod CIDRs of nodes %s and %s overlap: packets for the pods of one go to the other", a, b),
			"drain and remove one of them and let it join again; kube-controller-manager of each control plane must have the same --cluster-cidr "+
				"and --node-cidr-mask-size")
	}
	for _, n := range f.Nodes {
		for _, p := range n.PodCIDRs {
			if _, has := cidr.Family(pods.CIDRs, p.Addr().Is6()); has && !cidr.Contains(pods.CIDRs, p) {
				return pitfall("CNI002", fmt.Errorf("node %s has the pod CIDR %s, which is not in %s (%s)", n.Name, p, cidr.List(pods.CIDRs),
					pods.Source),
					"drain and remove the node and let it join again, or correct the range where it was read")
			}
		}
		for _, a := range n.Addresses {
			if cidr.Contains(pods.CIDRs, cidr.Host(a)) {
				return pitfall("CNI003", fmt.Errorf("node %s has the address %s, which is in the pods' CIDR %s (%s)", n.Name, a,
					cidr.List(pods.CIDRs), pods.Source),
					"choose a pod CIDR apart from the nodes' network: pods could never reach that node")
			}
		}
	}
	return nil
}

// allocated refuses a cluster whose nodes are given no pod CIDRs, for a network that
// takes them from there.
func allocated(f facts.Facts, network string) error {
	if len(f.Nodes) > 0 && !anyPodCIDR(f) {
		return pitfall("CNI001", fmt.Errorf("no node has a pod CIDR of its own (spec.podCIDR), and %s serves only nodes that have one", network),
			"%s", unallocatedHint)
	}
	return nil
}

func anyPodCIDR(f facts.Facts) bool {
	return slices.ContainsFunc(f.Nodes, func(n facts.Node) bool { return len(n.PodCIDRs) > 0 })
}

// expected counts the nodes that the network's pods can run on now.
func expected(f facts.Facts) int {
	count := 0
	for _, n := range f.Nodes {
		if n.OS == "linux" && n.Absent == "" {
			count++
		}
	}
	return count
}

const unallocatedHint = `in a new cluster, run this again in some seconds; else:
kube-controller-manager gives them out; on every control plane, in
/etc/kubernetes/manifests/kube-controller-manager.yaml: --allocate-node-cidrs=true --cluster-cidr=<the pod CIDR>`

// contradictions refuses values that differ from the cluster's range: outside
// of kube-proxy's clusterCIDR, traffic to Services is masqueraded and network
// policies see the wrong source (flannel#1607).
func contradictions(pods facts.Range, person map[string]any, v4, v6 string) error {
	for _, path := range []string{v4, v6} {
		value, given := values.At(person, path)
		if !given || value == nil {
			continue
		}
		got, err := cidr.Parse(values.Text(person, path))
		if err != nil {
			return plan.As(plan.Misused, fmt.Errorf("value %s: %w", path, err))
		}
		want := slices.DeleteFunc(slices.Clone(pods.CIDRs), func(p netip.Prefix) bool { return p.Addr().Is6() != (path == v6) })
		if !cidr.Same(got, want) {
			return pitfall("CNI002", fmt.Errorf("value %s=%v contradicts the cluster, whose pods are in %s (%s)", path, value,
				cidr.List(pods.CIDRs), pods.Source),
				"leave %s out: it is read from the cluster", path)
		}
	}
	return nil
}

// pitfall refuses for a pitfall that has an id, before anything else is looked for.
func pitfall(id string, err error, hint string, args ...any) error {
	more := "; more: "
	if strings.Contains(fmt.Sprintf(hint, args...), "\n") {
		more = "\nmore: "
	}
	return plan.Refuse(fmt.Errorf("%s error: %w", id, err), hint+more+"kubectl lifecycle cni explain "+id, args...)
}
