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

// cilium is one agent a node, which loads programs into the kernel, and an operator.
// It can do kube-proxy's work. What is said of its chart is read from 1.19.1.
func cilium() Network {
	known, _ := networks.Find("cilium")
	return Network{
		Name:       known.Name,
		Repository: "https://helm.cilium.io",
		Registry:   "oci://quay.io/cilium/charts/cilium",
		Version:    "1.19.1",
		// Documentation/network/kubernetes/compatibility.rst of each.
		Tested:   []Tested{{"1.20", "1.33", "1.36"}, {"1.19", "1.31", "1.34"}},
		OneMinor: true,
		// kube-system admits privileged pods in kubeadm's clusters.
		Namespace: "kube-system",
		DaemonSet: known.DaemonSet,
		Sign: facts.Sign{
			DaemonSets: []string{"cilium"},
			Label:      "k8s-app=cilium",
			Images:     []string{"cilium/cilium", "mirrored-cilium-cilium"},
		},
		Images:      ciliumImages(),
		PullSecrets: PullSecrets{Path: "imagePullSecrets"},
		Values:      ciliumValues,
		Reads:       ciliumChosen,
		Fixed: []Fixed{
			{Path: ciliumIPAM, Default: "cluster-pool", Running: func(s facts.Setting) any {
				if s.IPAM == "" {
					return nil
				}
				return s.IPAM
			}},
			{Path: ciliumPool4, Default: []any{"10.0.0.0/8"}},
			{Path: ciliumPool6, Default: []any{"fd00::/104"}},
			{Path: "ipam.operator.clusterPoolIPv4MaskSize", Default: 24},
			{Path: "ipam.operator.clusterPoolIPv6MaskSize", Default: 120},
		},
		Workloads: []Workload{
			{Kind: "Deployment", Namespace: "kube-system", Name: "cilium-operator"},
			{Kind: "DaemonSet", Namespace: "kube-system", Name: "cilium-envoy", Optional: true},
		},
		Host: Host{
			Kernel: "5.10", KernelNote: "4.18 of RHEL 8.10",
			Ports:    known.Ports,
			BinOwner: true, // its first init container has no right to ignore an owner (cilium#23838)
			Conflist: known.Conflist,
		},
		Leaves: ciliumLeaves(),
		OnNode: ciliumOnNode,
	}
}

// ciliumLeaves are what it leaves behind.
func ciliumLeaves() Leftovers {
	return Leftovers{
		Links: []string{"cilium_host", "cilium_net", "cilium_vxlan", "cilium_geneve", "cilium_wg0", "lxc*"},
		Paths: []string{
			"/etc/cni/net.d/05-cilium.conflist", "/etc/cni/net.d/*.cilium_bak", "/opt/cni/bin/cilium-cni", "/var/run/cilium",
			"/var/lib/cilium", "/sys/fs/bpf/cilium", "/sys/fs/bpf/tc/globals", "/run/cilium/cgroupv2",
			"/etc/sysctl.d/99-zzz-override_cilium.conf",
		},
		Rules:   []string{"CILIUM_*", "ip rule 9 to table 2004"},
		Objects: []string{"ciliumnodes.cilium.io", "ciliumendpoints.cilium.io", "ciliumidentities.cilium.io"},
		Made: []Kind{
			{"cilium.io", "v2", "ciliumnodes"}, {"cilium.io", "v2", "ciliumendpoints"}, {"cilium.io", "v2", "ciliumidentities"},
			{"cilium.io", "v2alpha1", "ciliumendpointslices"},
		},
		Taints: []string{"node.cilium.io/agent-not-ready"},
		Up:     "Cilium",
	}
}

// ciliumImages are the values that name its images, with their defaults.
func ciliumImages() []Image {
	return []Image{
		{"image.repository", "quay.io/cilium/cilium"}, {"operator.image.repository", "quay.io/cilium/operator"},
		{"envoy.image.repository", "quay.io/cilium/cilium-envoy"}, {"certgen.image.repository", "quay.io/cilium/certgen"},
		{"hubble.relay.image.repository", "quay.io/cilium/hubble-relay"},
		{"hubble.ui.backend.image.repository", "quay.io/cilium/hubble-ui-backend"},
		{"hubble.ui.frontend.image.repository", "quay.io/cilium/hubble-ui"}, {"nodeinit.image.repository", "quay.io/cilium/startup-script"},
		{"preflight.image.repository", "quay.io/cilium/cilium"}, {"preflight.envoy.image.repository", "quay.io/cilium/cilium-envoy"},
		{"clustermesh.apiserver.image.repository", "quay.io/cilium/clustermesh-apiserver"},
		{ciliumSpire + "initImage.repository", "docker.io/library/busybox"},
		{ciliumSpire + "agent.image.repository", "ghcr.io/spiffe/spire-agent"},
		{ciliumSpire + "server.image.repository", "ghcr.io/spiffe/spire-server"},
	}
}

// Values of Cilium's chart.
const (
	ciliumIPAM  = "ipam.mode"
	ciliumPool4 = "ipam.operator.clusterPoolIPv4PodCIDRList"
	ciliumPool6 = "ipam.operator.clusterPoolIPv6PodCIDRList"
	ciliumProxy = "kubeProxyReplacement"
	ciliumHost  = "k8sServiceHost"
	ciliumPort  = "k8sServicePort"
	ciliumSpire = "authentication.mutual.spire.install."
)

// ciliumValues computes where addresses come from (the chart's own pool,
// 10.0.0.0/8, holds kubeadm's Services and most people's hosts), who does
// kube-proxy's work, and how many operators find a node.
func ciliumValues(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	settings, err := ciliumAddresses(f, person)
	if err != nil {
		return nil, err
	}
	proxy, err := ciliumServices(f, person)
	if err != nil {
		return nil, err
	}
	settings = append(settings, proxy...)
	if n := expected(f); n == 1 {
		settings = append(settings, values.Setting{Path: "operator.replicas", Value: 1,
			Reason: "there is one node, and two operators never share one"})
	}
	return settings, nil
}

// ciliumAddresses takes the pod CIDRs of the nodes where they have any, and else has
// Cilium cut them from the cluster's range.
func ciliumAddresses(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	mode, pods := values.Text(person, ciliumIPAM), f.Pods
	given := anyPodCIDR(f)
	if mode == "cluster-pool" || !given && mode == "" {
		return ciliumPool(f, person)
	}
	if mode != "" && mode != "kubernetes" {
		return nil, nil // of a cloud's, or of pools that a person lays out
	}
	if !given && len(f.Nodes) > 0 {
		return nil, pitfall("CNI001",
			fmt.Errorf("no node has a pod CIDR of its own (spec.podCIDR), and %s=kubernetes takes them from there", ciliumIPAM),
			"leave %s out: Cilium gives them out itself then; or have kube-controller-manager do so: --allocate-node-cidrs=true", ciliumIPAM)
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	reason := "nodes have pod CIDRs already"
	if len(pods.CIDRs) > 0 {
		reason += ", from " + cidr.List(pods.CIDRs) + " (" + pods.Source + ")"
	}
	settings := []values.Setting{{Path: ciliumIPAM, Value: "kubernetes", Reason: reason}}
	return append(settings, ciliumFamilies(pods.CIDRs, "pods have it: "+pods.Source)...), nil
}

// ciliumPool has Cilium's operator cut the nodes' ranges from the cluster's.
func ciliumPool(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	pods, err := podRange(f, person, ciliumPool4, ciliumPool6)
	if err != nil {
		return nil, err
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	reason := "from the cluster: " + pods.Source
	settings := []values.Setting{{Path: ciliumIPAM, Value: "cluster-pool", Reason: "no node has a pod CIDR of its own: Cilium gives them out"}}
	for _, p := range pods.CIDRs {
		path := ciliumPool4
		if p.Addr().Is6() {
			path = ciliumPool6
		}
		settings = append(settings, values.Setting{Path: path, Value: []any{p.String()}, Reason: reason})
	}
	settings = append(settings, ciliumFamilies(pods.CIDRs, reason)...)
	return settings, contradictions(pods, person, ciliumPool4, ciliumPool6)
}

// ciliumFamilies says what differs from the chart's own: IPv4 alone.
func ciliumFamilies(pods []netip.Prefix, reason string) (settings []values.Setting) {
	_, v4 := cidr.Family(pods, false)
	_, v6 := cidr.Family(pods, true)
	if v6 {
		settings = append(settings, values.Setting{Path: "ipv6.enabled", Value: true, Reason: reason})
		if !v4 {
			settings = append(settings, values.Setting{Path: "ipv4.enabled", Value: false, Reason: reason})
		}
	}
	return settings
}

// ciliumServices says who does kube-proxy's work. Without kube-proxy nothing leads
// to the Service of the API, so that agents are told where it is.
func ciliumServices(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	said := values.Text(person, ciliumProxy)
	if f.Proxy.Present {
		if said != "" {
			return nil, nil
		}
		return []values.Setting{{Path: ciliumProxy, Value: "false", Reason: "kube-proxy is there: daemonset kube-system/kube-proxy"}}, nil
	}
	if said == "false" {
		return nil, plan.Refuse(fmt.Errorf("%s=false in a cluster without kube-proxy: Services would lead nowhere", ciliumProxy),
			"leave it out, or install kube-proxy, on a control plane: kubeadm init phase addon kube-proxy")
	}
	settings := []values.Setting{{Path: ciliumProxy, Value: "true", Reason: "there is no kube-proxy"}}
	api := f.API()
	if values.Text(person, ciliumHost) != "" {
		return settings, nil
	}
	if api.Host == "" {
		return nil, noAPI(ciliumHost, ciliumPort)
	}
	reason := "where nodes reach the API server without kube-proxy: " + api.Source
	return append(settings, values.Setting{Path: ciliumHost, Value: api.Host, Reason: reason},
		values.Setting{Path: ciliumPort, Value: api.Port, Reason: reason}), nil
}

// ciliumOnNode looks for what agent and operator do to a node once pods can have a
// network there.
func ciliumOnNode(node *corev1.Node) string {
	for _, t := range node.Spec.Taints {
		if t.Key == "node.cilium.io/agent-not-ready" {
			return "taint " + t.Key + " is still there"
		}
	}
	return upOnNode(node, "Cilium")
}
