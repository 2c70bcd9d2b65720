// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
)

func TestCalicoFollowsTheCluster(t *testing.T) {
	pool := func(cidr string) map[string]any {
		return map[string]any{"installation": map[string]any{"calicoNetwork": map[string]any{"ipPools": []any{map[string]any{"cidr": cidr}}}}}
	}
	const pods4 = "installation.calicoNetwork.ipPools=[map[cidr:10.244.0.0/16 encapsulation:VXLAN natOutgoing:Enabled]]"
	checkValues(t, calico(), map[string]valuesCase{
		"the pool is the cluster's range": {facts: kubeadmCluster(), want: []string{pods4}},
		"two families are two pools": {facts: kubeadmCluster(pods("10.244.0.0/16", "fd00::/56")),
			want: []string{strings.TrimSuffix(pods4, "]") + " map[cidr:fd00::/56 encapsulation:VXLAN natOutgoing:Enabled]]"}},
		"nodes need no pod CIDRs": {facts: kubeadmCluster(withoutPodCIDRs), want: []string{pods4}},
		"without kube-proxy agents are told where the API is": {facts: kubeadmCluster(withoutProxy), want: []string{pods4,
			"installation.calicoNetwork.linuxDataplane=BPF", "kubernetesServiceEndpoint.host=powercess.com", "kubernetesServiceEndpoint.port=6443"}},
		"no kube-proxy, and a way that needs it": {facts: kubeadmCluster(withoutProxy),
			person: map[string]any{"installation": map[string]any{"calicoNetwork": map[string]any{"linuxDataplane": "Iptables"}}},
			says:   "Services would lead nowhere", hint: "addon kube-proxy"},
		"one node has room for one replica": {facts: kubeadmCluster(oneNode), want: []string{pods4, "installation.controlPlaneReplicas=1"}},
		"a person's pool within the range":  {facts: kubeadmCluster(), person: pool("10.244.0.0/18")},
		"a person's pool outside of it": {facts: kubeadmCluster(), person: pool("192.168.0.0/16"),
			says: "pool 192.168.0.0/16 of value installation.calicoNetwork.ipPools is not in the cluster's pod CIDR 10.244.0.0/16"},
		"no range at all": {facts: kubeadmCluster(withoutPodCIDRs, pods()), says: "pod CIDR of this cluster is not set",
			hint: "--cluster-cidr="},
	})
}

func TestAntreaTakesThePodCIDRsOfTheNodes(t *testing.T) {
	checkValues(t, antrea(), map[string]valuesCase{
		"they are there: no value is needed": {facts: kubeadmCluster()},
		"they are not there": {facts: kubeadmCluster(withoutPodCIDRs), says: "no node has a pod CIDR",
			hint: "--allocate-node-cidrs"},
		"they are not there, and it gives them out": {facts: kubeadmCluster(withoutPodCIDRs),
			person: map[string]any{"nodeIPAM": map[string]any{"enable": true}}},
		"without kube-proxy": {facts: kubeadmCluster(withoutProxy),
			want: []string{"antreaProxy.proxyAll=true", "kubeAPIServerOverride=https://powercess.com:6443"}},
		"without kube-proxy, by IPv6": {facts: kubeadmCluster(withoutProxy, func(f *facts.Facts) { f.Endpoint = "[fd00::1]:6443" }),
			want: []string{"antreaProxy.proxyAll=true", "kubeAPIServerOverride=https://[fd00::1]:6443"}},
		"without kube-proxy, and nothing says where the API is": {
			facts: kubeadmCluster(withoutProxy, func(f *facts.Facts) { f.Endpoint = "" }), says: "where nodes reach its API server",
			hint: "--set kubeAPIServerOverride"},
	})
}

func TestKubeOVNIsGivenAllRanges(t *testing.T) {
	want := []string{
		"networking.stack=IPv4", "networking.pods.cidr.v4=10.244.0.0/16", "networking.pods.gateways.v4=10.244.0.1",
		"networking.services.cidr.v4=10.96.0.0/12", "masterNodesLabels=map[node-role.kubernetes.io/control-plane:]",
	}
	checkValues(t, kubeOVN(), map[string]valuesCase{
		"pods, their gateway, and Services": {facts: kubeadmCluster(), want: want},
		"nodes need no pod CIDRs":           {facts: kubeadmCluster(withoutPodCIDRs), want: want},
		"two families": {facts: kubeadmCluster(pods("10.244.0.0/16", "fd00::/56"),
			func(f *facts.Facts) { f.Services.CIDRs = cnitest.CIDRs("10.96.0.0/12", "fd01::/112") }),
			want: []string{"networking.stack=Dual", "networking.pods.cidr.v4=10.244.0.0/16", "networking.pods.gateways.v4=10.244.0.1",
				"networking.pods.cidr.v6=fd00::/56", "networking.pods.gateways.v6=fd00::1", "networking.services.cidr.v4=10.96.0.0/12",
				"networking.services.cidr.v6=fd01::/112", "masterNodesLabels=map[node-role.kubernetes.io/control-plane:]"}},
		"hosts in the range by which nodes reach pods": {facts: kubeadmCluster(func(f *facts.Facts) {
			f.Nodes[1].Addresses = []netip.Addr{netip.MustParseAddr("100.64.3.4")}
		}), says: "node b has the address 100.64.3.4", hint: "--set networking.join.cidr.v4="},
		"a range of its own that the cluster has not": {facts: kubeadmCluster(),
			person: map[string]any{"networking": map[string]any{"pods": map[string]any{"cidr": map[string]any{"v4": "10.16.0.0/16"}}}},
			says:   "networking.pods.cidr.v4=10.16.0.0/16 contradicts the cluster"},
	})
}

func TestEveryNetworkSaysWhatIsAskedOfIt(t *testing.T) {
	for _, n := range Networks() {
		t.Run(n.Name, func(t *testing.T) {
			if n.Repository == "" || n.Version == "" || n.Namespace == "" || n.DaemonSet == "" || n.Values == nil || len(n.Tested) == 0 {
				t.Errorf("it does not say where its chart is, or where its agents are: %+v", n)
			}
			if n.Host.Conflist == "" || len(n.Host.Ports) == 0 || len(n.Leaves.Links) == 0 || len(n.Leaves.Rules) == 0 {
				t.Error("it does not say what it wants of a host, and what it leaves there")
			}
			if !slices.Contains(n.Leaves.Paths, "/etc/cni/net.d/"+n.Host.Conflist) || slices.Contains(n.Leaves.Paths, "/etc/cni/net.d") {
				t.Errorf("it leaves %v", n.Leaves.Paths)
			}
			if len(n.Images) == 0 || n.PullSecrets.Path == "" {
				t.Error("it does not say by which values images come from elsewhere")
			}
			if n.NeedsProxy && strings.Contains(n.Name, "cilium") {
				t.Error("Cilium can do kube-proxy's work")
			}
		})
	}
}

func TestWhatACalicoOperatorMakesComesThroughTheMirror(t *testing.T) {
	through := func(ref string) string { return strings.Replace(ref, "quay.io", "m.io:5000/q", 1) }
	var got []string
	for _, s := range calicoMirrored(through) {
		got = append(got, s.Path+"="+s.Value.(string)) //nolint:forcetypeassert // both are words
	}
	if want := []string{"installation.registry=m.io:5000/", "installation.imagePath=q/calico"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if none := calicoMirrored(func(ref string) string { return ref }); none != nil {
		t.Error(none)
	}
	if made := calicoMade("3.32.1"); !slices.Contains(made, "quay.io/calico/node:v3.32.1") {
		t.Error(made)
	}
}
