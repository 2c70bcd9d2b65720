// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// calico is an operator that makes everything else: agents, Typha, controllers, in
// namespaces of its own, as custom resources tell it. The definitions of those are a
// chart of their own since 3.32 (projectcalico/calico#12860).
func calico() Network {
	known, _ := networks.Find("calico")
	return Network{
		Name:       known.Name,
		Chart:      "tigera-operator",
		Repository: "https://docs.tigera.io/calico/charts",
		Registry:   "oci://quay.io/calico/charts/tigera-operator",
		Version:    "v3.32.1",
		// docs.tigera.io/calico/3.32/getting-started/kubernetes/requirements
		Tested: []Tested{{"3.33", "1.35", "1.37"}, {"3.32", "1.34", "1.36"}, {"3.31", "1.32", "1.35"}},
		Before: Prerequisite{
			Chart:      "crd.projectcalico.org.v1",
			Repository: "https://docs.tigera.io/calico/charts",
			Registry:   "oci://quay.io/calico/charts/crd.projectcalico.org.v1",
			Since:      "3.32",
			Groups:     []string{"operator.tigera.io", "crd.projectcalico.org", "policy.networking.k8s.io"},
		},
		Namespace:      "tigera-operator",
		AgentNamespace: "calico-system",
		DaemonSet:      known.DaemonSet,
		Sign: facts.Sign{
			DaemonSets: []string{"calico-node"},
			Label:      "k8s-app=calico-node",
			Images:     []string{"calico/node", "calico-node", "mirrored-calico-node"},
		},
		Images:      []Image{{"tigeraOperator.registry", "quay.io"}, {"calicoctl.image", "quay.io/calico/ctl"}},
		Mirrored:    calicoMirrored,
		Made:        calicoMade,
		PullSecrets: PullSecrets{Path: "installation.imagePullSecrets"},
		Values:      calicoValues, Reads: calicoChosen,
		Fixed: []Fixed{{Path: calicoPools, Default: nil}},
		Workloads: []Workload{
			{Kind: "Deployment", Namespace: "tigera-operator", Name: "tigera-operator"},
			{Kind: "Deployment", Namespace: "calico-system", Name: "calico-kube-controllers"},
			{Kind: "Deployment", Namespace: "calico-system", Name: "calico-typha"},
		},
		Conditions: []Condition{
			{"operator.tigera.io", "v1", "tigerastatuses", "calico", "Available", "True"},
			{"operator.tigera.io", "v1", "tigerastatuses", "calico", "Degraded", "False"},
			{"operator.tigera.io", "v1", "tigerastatuses", "ippools", "Available", "True"},
		},
		Host: Host{
			Kernel:   "5.10",
			Ports:    known.Ports,
			Conflist: known.Conflist,
		},
		Leaves: calicoLeaves(),
		OnNode: calicoOnNode,
	}
}

// calicoLeaves are what it leaves behind.
func calicoLeaves() Leftovers {
	return Leftovers{
		Links: []string{"cali*", "tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"},
		Paths: []string{
			"/etc/cni/net.d/10-calico.conflist", "/etc/cni/net.d/calico-kubeconfig", "/opt/cni/bin/calico", "/opt/cni/bin/calico-ipam",
			"/var/lib/calico", "/var/run/calico", "/var/log/calico",
		},
		Rules:   []string{"cali-*", "calico (nftables)", "cali* (ipset)"},
		Objects: []string{"crd.projectcalico.org", "operator.tigera.io"},
		Made:    calicoMadeKinds(),
		Annotations: []string{
			"projectcalico.org/IPv4Address", "projectcalico.org/IPv4VXLANTunnelAddr", "projectcalico.org/IPv4IPIPTunnelAddr",
		},
		Up: "Calico",
	}
}

const (
	calicoPools = "installation.calicoNetwork.ipPools"
	calicoAPI   = "kubernetesServiceEndpoint"
)

// calicoValues names the pools: without them the operator reads kubeadm's
// configuration, and degrades where that says nothing (tigera/operator#2916).
func calicoValues(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	pods, err := calicoRange(f, person)
	if err != nil {
		return nil, err
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	var settings []values.Setting
	if _, given := values.At(person, calicoPools); !given {
		var pools []any
		for _, p := range pods.CIDRs {
			pool := map[string]any{"cidr": p.String(), "encapsulation": "VXLAN", "natOutgoing": "Enabled"}
			if p.Addr().Is6() && p.Bits() > 122 || p.Addr().Is4() && p.Bits() > 26 {
				pool["blockSize"] = p.Bits()
			}
			pools = append(pools, pool)
		}
		settings = append(settings, values.Setting{Path: calicoPools, Value: pools, Reason: "from the cluster: " + pods.Source})
	}
	if !f.Proxy.Present {
		proxy, err := calicoServices(f, person)
		if err != nil {
			return nil, err
		}
		settings = append(settings, proxy...)
	}
	if expected(f) == 1 {
		settings = append(settings, values.Setting{Path: "installation.controlPlaneReplicas", Value: 1,
			Reason: "there is one node, and two replicas never share one"})
	}
	return settings, nil
}

// calicoServices has agents do kube-proxy's work, and tells them where the API is.
func calicoServices(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	const dataplane = "installation.calicoNetwork.linuxDataplane"
	if said := values.Text(person, dataplane); said != "" && said != "BPF" {
		return nil, plan.Refuse(fmt.Errorf("%s=%s in a cluster without kube-proxy: Services would lead nowhere", dataplane, said),
			"leave it out, or install kube-proxy, on a control plane: kubeadm init phase addon kube-proxy")
	}
	settings := []values.Setting{{Path: dataplane, Value: "BPF", Reason: "there is no kube-proxy"}}
	if values.Text(person, calicoAPI+".host") != "" {
		return settings, nil
	}
	api := f.API()
	if api.Host == "" {
		return nil, noAPI(calicoAPI+".host", calicoAPI+".port")
	}
	reason := "where nodes reach the API server without kube-proxy: " + api.Source
	return append(settings, values.Setting{Path: calicoAPI + ".host", Value: api.Host, Reason: reason},
		values.Setting{Path: calicoAPI + ".port", Value: api.Port, Reason: reason}), nil
}

// calicoRange is the cluster's range; a person's pools have to lie in it.
func calicoRange(f facts.Facts, person map[string]any) (facts.Range, error) {
	given, _ := values.At(person, calicoPools)
	list, _ := given.([]any)
	var pools []netip.Prefix
	for _, item := range list {
		pool, _ := item.(map[string]any)
		read, err := cidr.Parse(fmt.Sprint(pool["cidr"]))
		if err != nil {
			return facts.Range{}, plan.As(plan.Misused, fmt.Errorf("value %s: %w", calicoPools, err))
		}
		pools = append(pools, read...)
	}
	switch {
	case len(f.Pods.CIDRs) == 0 && len(pools) == 0:
		return facts.Range{}, unset(f, calicoPools+"[0].cidr")
	case len(f.Pods.CIDRs) == 0:
		return facts.Range{CIDRs: pools, Source: "--set or --values"}, nil
	}
	for _, p := range pools {
		if !cidr.Contains(f.Pods.CIDRs, p) {
			return facts.Range{}, plan.Refuse(fmt.Errorf("pool %s of value %s is not in the cluster's pod CIDR %s (%s)", p, calicoPools,
				cidr.List(f.Pods.CIDRs), f.Pods.Source), "leave %s out: it is read from the cluster", calicoPools)
		}
	}
	return f.Pods, nil
}

// calicoMirrored tells the operator from where it takes what it makes: registry and
// path apart.
func calicoMirrored(through func(string) string) []values.Setting {
	const from = "quay.io/calico"
	to := through(from)
	if to == from {
		return nil
	}
	registry, path, _ := strings.Cut(to, "/")
	return []values.Setting{{Path: "installation.registry", Value: registry + "/"}, {Path: "installation.imagePath", Value: path}}
}

// calicoMade lists the images of what the operator makes with the values that this
// program chooses (tigera/operator, pkg/components of the branch of 3.32).
func calicoMade(version string) []string {
	var images []string
	for _, name := range []string{
		"node", "cni", "typha", "kube-controllers", "csi", "node-driver-registrar", "pod2daemon-flexvol", "apiserver", "goldmane", "whisker",
		"whisker-backend", "key-cert-provisioner",
	} {
		images = append(images, "quay.io/calico/"+name+":v"+strings.TrimPrefix(version, "v"))
	}
	return images
}

// calicoMadeKinds are the blocks of addresses that agents hold, and what they give out of
// them.
func calicoMadeKinds() (kinds []Kind) {
	for _, resource := range []string{"ipamblocks", "ipamhandles", "blockaffinities"} {
		kinds = append(kinds, Kind{"crd.projectcalico.org", "v1", resource})
	}
	return kinds
}

// calicoOnNode looks for what the agent says of itself once it has programmed its
// node.
func calicoOnNode(node *corev1.Node) string { return upOnNode(node, "Calico") }
