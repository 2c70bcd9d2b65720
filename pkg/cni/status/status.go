// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
)

// Status is how the network of a cluster is.
type Status struct {
	// Works says that every node that can be served is, and that nothing was found
	// that is more than a note.
	Works    bool      `json:"works"`
	Networks []Network `json:"networks"`
	// Consistent says in one sentence whether all take the same range for the pods'.
	Consistent string            `json:"consistent"`
	Ranges     []finding.Span    `json:"ranges"`
	Proxy      facts.Proxy       `json:"kubeProxy"`
	DNS        facts.DNS         `json:"coreDNS"`
	Pods       facts.Pods        `json:"pods"`
	Ready      Count             `json:"nodesReady"`
	Nodes      []Node            `json:"nodes"`
	Findings   []finding.Finding `json:"findings"`
}

// Count is some of many.
type Count struct {
	Of    int `json:"of"`
	Count int `json:"count"`
}

// String is "2 of 3".
func (c Count) String() string { return fmt.Sprintf("%d of %d", c.Count, c.Of) }

// Network is one network.
type Network struct {
	CNI     string `json:"cni"`
	Version string `json:"version,omitempty"`
	// Manager is who keeps it as it is: "Helm release flannel in namespace
	// kube-flannel"; "manifests" where nothing tells.
	Manager   string `json:"manager"`
	Namespace string `json:"namespace"`
	DaemonSet string `json:"daemonSet"`
	Agents    Count  `json:"agents"`
	// Images are those that its agents run, with how many do.
	Images []Image `json:"images"`
}

// Image is what some pods run.
type Image struct {
	Image string `json:"image"`
	Pods  int    `json:"pods"`
}

// Node is one node.
type Node struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	// Served says that the network can be expected to work there.
	Served bool `json:"served"`
	// Agent is "ready", "not ready" or "none".
	Agent    string         `json:"agent"`
	PodCIDRs []netip.Prefix `json:"podCIDRs"`
	// Conflist is the configuration that the runtime takes; empty where the host was
	// not looked at.
	Conflist string `json:"conflist,omitempty"`
	// Reason is what is missing, and the ids of findings about it.
	Reason  string `json:"reason,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Runtime string `json:"runtime,omitempty"`
}

// Of is the status of what was read.
func Of(in finding.Input) Status {
	s := Status{Ranges: finding.Map(in), Proxy: in.Proxy, DNS: in.DNS, Pods: in.Pods, Findings: finding.All(in), Consistent: consistent(in)}
	agents := agentsByNode(in)
	for i, n := range in.Networks {
		s.Networks = append(s.Networks, networkOf(in, i, n))
	}
	ids := idsByNode(s.Findings)
	conflists := map[string]string{}
	for _, h := range in.Hosts {
		conflists[h.Node] = "none"
		if len(h.Configs) > 0 {
			conflists[h.Node] = h.Configs[0].File
		}
	}
	s.Works = len(in.Networks) > 0 && !finding.Bad(s.Findings)
	for _, n := range in.Nodes {
		if n.OS != "linux" {
			continue
		}
		node := nodeOf(n, in, agents)
		node.Conflist = conflists[n.Name]
		if len(ids[n.Name]) > 0 {
			node.Reason = strings.TrimPrefix(node.Reason+" ("+strings.Join(ids[n.Name], ", ")+")", " ")
		}
		s.Nodes = append(s.Nodes, node)
		s.Ready.Of++
		if node.Ready {
			s.Ready.Count++
		}
		if node.Served && (!node.Ready || node.Agent != ready) {
			s.Works = false
		}
	}
	return s
}

// idsByNode are the ids of the findings about each node.
func idsByNode(all []finding.Finding) map[string][]string {
	ids := map[string][]string{}
	for _, f := range all {
		for _, node := range f.Nodes {
			if !slices.Contains(ids[node], f.ID) {
				ids[node] = append(ids[node], f.ID)
			}
		}
	}
	return ids
}

// consistent says whether cluster, networks and kube-proxy take the same range for
// the pods'.
func consistent(in finding.Input) string {
	pods := in.Facts.Pods
	if len(pods.CIDRs) == 0 {
		return "nothing in the cluster says which range its pods are in"
	}
	var agree, differ []string
	compare := func(name string, prefixes []netip.Prefix, same bool) {
		switch {
		case len(prefixes) == 0, same && slices.Contains(agree, name):
		case same:
			agree = append(agree, name)
		default:
			differ = append(differ, name+" has "+cidr.List(prefixes))
		}
	}
	inside := func(prefixes []netip.Prefix) bool {
		return !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return !cidr.Contains(pods.CIDRs, p) })
	}
	for _, n := range in.Networks {
		compare(n.CNI, n.Setting.Pool, inside(n.Setting.Pool))
	}
	compare("kube-proxy", in.Proxy.CIDRs, cidr.Same(in.Proxy.CIDRs, pods.CIDRs))
	out := []string{}
	var own []netip.Prefix
	for _, n := range in.Nodes {
		own = append(own, n.PodCIDRs...)
	}
	if len(own) > 0 {
		i := slices.IndexFunc(own, func(p netip.Prefix) bool { return !cidr.Contains(pods.CIDRs, p) })
		if i < 0 {
			agree = append(agree, "the nodes' own")
		} else {
			differ = append(differ, "a node has "+own[i].String())
		}
	}
	if len(agree) > 0 {
		out = append(out, strings.Join(agree, ", ")+" agree")
	}
	return cmp.Or(strings.Join(append(out, differ...), "; "), "nothing else says a range")
}
