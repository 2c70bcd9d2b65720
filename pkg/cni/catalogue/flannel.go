// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

// flannel is one agent a node, which gives its pods the node's own pod CIDR and
// tells the others by annotations how to reach it. What can be wrong with those is
// in flannel_records.go.
func flannel() Network {
	known, _ := networks.Find("flannel")
	return Network{
		Name:       known.Name,
		Repository: "https://flannel-io.github.io/flannel",
		Version:    "v0.28.4",
		// Its project names no versions of Kubernetes.
		Tested:    []Tested{{Line: "0.28"}},
		Namespace: "kube-flannel",
		DaemonSet: known.DaemonSet,
		Sign: facts.Sign{
			DaemonSets: []string{"kube-flannel", "kube-flannel-ds"},
			Label:      "app=flannel",
			Images:     []string{"flannel", "mirrored-flannel"},
		},
		Images: []Image{
			{"flannel.image.repository", "ghcr.io/flannel-io/flannel"},
			{"flannel.flannel_cni.image.repository", "ghcr.io/flannel-io/flannel-cni-plugin"},
			{"netpol.image.repository", "registry.k8s.io/networking/kube-network-policies"},
		},
		PullSecrets: PullSecrets{Path: "global.imagePullSecrets"},
		NeedsProxy:  true,
		Values:      flannelValues,
		Reads:       flannelChosen,
		Host: Host{
			Modules: known.Modules,
			Plugins: []string{"bridge", "host-local", "loopback", "portmap"}, // flannel#1730
			Ports:   known.Ports,

			Conflist: known.Conflist,
		},
		Leaves: Leftovers{
			Links: []string{"flannel.1", "flannel-v6.1", "flannel-wg", "cni0"},
			Paths: []string{
				"/etc/cni/net.d/10-flannel.conflist", "/opt/cni/bin/flannel", "/run/flannel", "/var/lib/cni/flannel",
				"/var/lib/cni/networks/cbr0",
			},
			Rules: []string{"FLANNEL-POSTRTG", "FLANNEL-FWD", "flannel-ipv4", "flannel-ipv6"},
			Annotations: []string{
				flannelPrefix + "backend-data", flannelPrefix + "backend-type", flannelPrefix + "backend-v6-data",
				flannelPrefix + "kube-subnet-manager", flannelPrefix + "public-ip", flannelPrefix + "public-ipv6",
			},
			Up: "Flannel",
		},
		OnNode: flannelOnNode,
		Faults: flannelFaults,
		Doubts: flannelDoubts,
	}
}

// The values of flannel's chart for its IPv4 and IPv6 networks.
const (
	flannelV4 = "podCidr"
	flannelV6 = "podCidrv6"
)

// flannelValues computes podCidr and podCidrv6. The chart's default for podCidr
// is 10.244.0.0/16, right or not, so that one is always set; it has to be empty
// in a cluster with IPv6 alone.
func flannelValues(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	pods, err := podRange(f, person, flannelV4, flannelV6)
	if err != nil {
		return nil, err
	}
	if err := agree(f, pods); err != nil {
		return nil, err
	}
	if err := allocated(f, "flannel"); err != nil {
		return nil, err
	}
	v4, has4 := cidr.Family(pods.CIDRs, false)
	v6, has6 := cidr.Family(pods.CIDRs, true)
	reason := "from the cluster: " + pods.Source
	if len(f.Pods.CIDRs) == 0 {
		reason = pods.Source + " (the cluster does not say it)"
	}
	settings := []values.Setting{{Path: flannelV4, Value: "", Reason: "there are no IPv4 pods: " + pods.Source}}
	if has4 {
		settings[0] = values.Setting{Path: flannelV4, Value: v4.String(), Reason: reason}
	}
	if has6 {
		settings = append(settings, values.Setting{Path: flannelV6, Value: v6.String(), Reason: reason})
	}
	return settings, contradictions(pods, person, flannelV4, flannelV6)
}

// flannelOnNode looks for what flannel's agent writes on its node once it has a
// lease: others cannot route to the node before (flannel v0.28, subnet manager
// "kube").
func flannelOnNode(node *corev1.Node) string {
	const prefix = flannelPrefix
	if node.Annotations[prefix+"kube-subnet-manager"] != "true" {
		return "no annotation " + prefix + "kube-subnet-manager yet"
	}
	if node.Annotations[prefix+"public-ip"] == "" && node.Annotations[prefix+"public-ipv6"] == "" {
		return "no annotation " + prefix + "public-ip yet"
	}
	return ""
}
