// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"net"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

// antrea is one agent a node, with an Open vSwitch of its own, and a controller. It
// takes the pod CIDRs of the nodes, and can do kube-proxy's work.
func antrea() Network {
	known, _ := networks.Find("antrea")
	return Network{
		Name:       known.Name,
		Repository: "https://charts.antrea.io",
		Version:    "2.7.0",
		Tested:     []Tested{{Line: "2.7", From: "1.23"}}, // kubeVersion of the chart
		OneMinor:   false,
		Namespace:  "kube-system",
		DaemonSet:  known.DaemonSet,
		Sign: facts.Sign{
			DaemonSets: []string{"antrea-agent"},
			Label:      "component=antrea-agent",
			Images:     []string{"antrea-agent-ubuntu", "antrea-agent-ubi"},
		},
		Images: []Image{
			{"agentImage.repository", "antrea/antrea-agent-ubuntu"}, {"controllerImage.repository", "antrea/antrea-controller-ubuntu"},
		},
		PullSecrets: PullSecrets{Path: "imagePullSecrets"},
		Values:      antreaValues,
		Reads:       antreaChosen,
		Fixed:       []Fixed{{Path: "trafficEncapMode", Default: "encap"}, {Path: "nodeIPAM.enable", Default: false}},
		Workloads:   []Workload{{Kind: "Deployment", Namespace: "kube-system", Name: "antrea-controller"}},
		Host: Host{
			Kernel:   "4.6",
			Modules:  known.Modules,
			Ports:    known.Ports,
			Conflist: known.Conflist,
		},
		Leaves: Leftovers{
			Links: []string{"antrea-gw0", "antrea-tun0", "antrea-egress0", "ovs-system", "br-int", "genev_sys_6081", "vxlan_sys_4789"},
			Paths: []string{
				"/etc/cni/net.d/10-antrea.conflist", "/opt/cni/bin/antrea", "/var/run/antrea", "/var/run/openvswitch", "/var/lib/antrea",
				"/var/log/antrea", "/var/log/openvswitch",
			},
			Rules:   []string{"ANTREA-*", "ANTREA-* (ipset)", "antrea (nftables)"},
			Objects: []string{"crd.antrea.io"},
			Made: []Kind{
				{"crd.antrea.io", "v1beta1", "antreaagentinfos"}, {"crd.antrea.io", "v1beta1", "antreacontrollerinfos"},
			},
			Annotations: []string{"node.antrea.io/mac-address", "node.antrea.io/transport-addresses", "node.antrea.io/wireguard-public-key"},
		},
		OnNode: nil, // it writes an AntreaAgentInfo, and nothing on its Node
	}
}

// antreaValues has agents do kube-proxy's work where there is none; addresses need no
// value.
func antreaValues(f facts.Facts, person map[string]any) ([]values.Setting, error) {
	if err := agree(f, f.Pods); err != nil {
		return nil, err
	}
	if values.Text(person, "nodeIPAM.enable") != "true" {
		if err := allocated(f, "antrea"); err != nil {
			return nil, err
		}
	}
	if f.Proxy.Present {
		return nil, nil
	}
	const all, override = "antreaProxy.proxyAll", "kubeAPIServerOverride"
	settings := []values.Setting{{Path: all, Value: true, Reason: "there is no kube-proxy"}}
	if values.Text(person, override) != "" {
		return settings, nil
	}
	api := f.API()
	if api.Host == "" {
		return nil, noAPI(override, "")
	}
	return append(settings, values.Setting{Path: override, Value: "https://" + net.JoinHostPort(api.Host, api.Port),
		Reason: "where nodes reach the API server without kube-proxy: " + api.Source}), nil
}
