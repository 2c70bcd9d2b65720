// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// kubeOVN is OVN: its databases on the control planes, Open vSwitch and an agent on
// each node. It gives out addresses from one range for all nodes.
func kubeOVN() Network {
	known, _ := networks.Find("kube-ovn")
	return Network{
		Name:       known.Name,
		Chart:      "kube-ovn-v2",
		Repository: "oci://ghcr.io/kubeovn/charts/kube-ovn-v2",
		Registry:   "oci://ghcr.io/kubeovn/charts/kube-ovn-v2",
		Version:    "v1.16.2",
		Tested:     []Tested{{Line: "1.16", From: "1.29"}, {Line: "1.15", From: "1.29"}}, // kubeVersion of the chart
		OneMinor:   true,
		Namespace:  "kube-system",
		DaemonSet:  known.DaemonSet,
		Sign: facts.Sign{
			DaemonSets: []string{"kube-ovn-cni"},
			Label:      "app=kube-ovn-cni",
		},
		Images: []Image{
			{"global.registry.address", "docker.io/kubeovn"}, {"natGw.image.repository", "docker.io/kubeovn/vpc-nat-gateway"},
			{"natGw.bgpSpeaker.image.repository", "docker.io/kubeovn/kube-ovn"},
		},
		Made:        func(version string) []string { return []string{"docker.io/kubeovn/vpc-nat-gateway:v" + bare(version)} },
		PullSecrets: PullSecrets{Path: "global.registry.imagePullSecrets", Names: true},
		NeedsProxy:  true,
		Values:      kubeOVNValues,
		Reads:       kubeOVNChosen,
		Fixed: []Fixed{
			{Path: kubeOVNPods + ".v4", Default: "10.16.0.0/16"}, {Path: kubeOVNPods + ".v6", Default: "fd00:10:16::/112"},
			{Path: "networking.join.cidr.v4", Default: "100.64.0.0/16"}, {Path: "networking.join.cidr.v6", Default: "fd00:100:64::/112"},
			{Path: "networking.stack", Default: "IPv4"}, {Path: "networking.networkType", Default: "geneve"},
		},
		Labels: []NodeLabel{{
			Key: controlPlaneLabel, On: "control planes", Why: "ovn-central and its databases run where it is (value masterNodesLabels)",
		}},
		Workloads: []Workload{
			{Kind: "Deployment", Namespace: "kube-system", Name: "ovn-central"},
			{Kind: "Deployment", Namespace: "kube-system", Name: "kube-ovn-controller"},
			{Kind: "DaemonSet", Namespace: "kube-system", Name: "ovs-ovn"},
			{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-ovn-pinger", Optional: true},
		},
		Host: Host{
			Kernel:   "4.18",
			Modules:  known.Modules,
			Ports:    known.Ports,
			Conflist: known.Conflist,
		},
		Leaves: Leftovers{
			Links: []string{"ovn0", "mirror0", "br-int", "ovs-system", "genev_sys_6081", "*_h"},
			Paths: []string{
				"/etc/cni/net.d/01-kube-ovn.conflist", "/opt/cni/bin/kube-ovn", "/var/run/openvswitch", "/var/run/ovn", "/etc/openvswitch",
				"/etc/origin/openvswitch", "/etc/origin/ovn", "/var/log/openvswitch", "/var/log/ovn", "/var/log/kube-ovn",
			},
			Rules:   []string{"OVN-*", "ovn* (ipset)"},
			Objects: []string{"kubeovn.io"},
		},
		OnNode: kubeOVNOnNode,
	}
}

const (
	controlPlaneLabel = "node-role.kubernetes.io/control-plane"
	kubeOVNPods       = "networking.pods.cidr"
)

// kubeOVNValues gives it the cluster's ranges, whole: its own default is apart from
// kubeadm's, and Services that are not in its range of Services lead nowhere.
func kubeOVNValues(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	pods, err := podRange(f, person, kubeOVNPods+".v4", kubeOVNPods+".v6")
	if err != nil {
		return nil, err
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	if err := kubeOVNJoin(f, pods, person); err != nil {
		return nil, err
	}
	_, has4 := cidr.Family(pods.CIDRs, false)
	_, has6 := cidr.Family(pods.CIDRs, true)
	stack := "IPv4"
	switch {
	case has4 && has6:
		stack = "Dual"
	case has6:
		stack = "IPv6"
	}
	settings := []values.Setting{{Path: "networking.stack", Value: stack, Reason: "families of the pods: " + pods.Source}}
	for _, p := range pods.CIDRs {
		settings = append(settings,
			values.Setting{Path: kubeOVNPods + "." + family(p), Value: p.String(), Reason: "from the cluster: " + pods.Source},
			values.Setting{Path: "networking.pods.gateways." + family(p), Value: p.Masked().Addr().Next().String(),
				Reason: "the first address of the pods' range"})
	}
	for _, p := range f.Services.CIDRs {
		settings = append(settings, values.Setting{Path: "networking.services.cidr." + family(p), Value: p.String(),
			Reason: "from the cluster: " + f.Services.Source})
	}
	settings = append(settings, values.Setting{Path: "masterNodesLabels", Value: map[string]any{controlPlaneLabel: ""},
		Reason: "kubeadm gives it to control planes, where OVN's databases run"})
	return settings, contradictions(pods, person, kubeOVNPods+".v4", kubeOVNPods+".v6")
}

// kubeOVNJoin refuses a range between nodes and pods that holds something else.
func kubeOVNJoin(f facts.Facts, pods facts.Range, person map[string]any) error {
	word := values.Text(person, "networking.join.cidr.v4")
	if word == "" {
		word = "100.64.0.0/16"
	}
	join, err := cidr.Parse(word)
	if err != nil {
		return plan.As(plan.Misused, fmt.Errorf("value networking.join.cidr.v4: %w", err))
	}
	hint := "choose another: --set networking.join.cidr.v4=…"
	for _, r := range []facts.Range{pods, f.Services} {
		if a, b, found := cidr.Overlap(join, r.CIDRs); found {
			return pitfall("CNI003", fmt.Errorf("the range by which nodes reach pods, %s, overlaps %s (%s)", a, b, r.Source), "%s", hint)
		}
	}
	for _, n := range f.Nodes {
		for _, a := range n.Addresses {
			if cidr.Contains(join, cidr.Host(a)) {
				return pitfall("CNI003", fmt.Errorf("node %s has the address %s, which is in the range by which nodes reach pods, %s", n.Name, a, word),
					"%s", hint)
			}
		}
	}
	return nil
}

func family(p netip.Prefix) string {
	if p.Addr().Is6() {
		return "v6"
	}
	return "v4"
}

// kubeOVNOnNode looks for the address that its controller gives a node for itself.
func kubeOVNOnNode(node *corev1.Node) string {
	if node.Annotations["ovn.kubernetes.io/allocated"] != "true" {
		return "no annotation ovn.kubernetes.io/allocated yet"
	}
	return ""
}
