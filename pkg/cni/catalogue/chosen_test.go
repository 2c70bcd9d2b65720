// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"reflect"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

func TestWhatValuesMakeOfANetwork(t *testing.T) {
	tree := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			key, _ := pairs[i].(string)
			out[key] = pairs[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		network string
		given   map[string]any
		want    Chosen
	}{
		"flannel": {"flannel", tree("podCidr", "10.244.0.0/16", "podCidrv6", ""),
			Chosen{IPAM: "the nodes' pod CIDRs", Pool: cnitest.CIDRs("10.244.0.0/16")}},
		"Cilium as its chart is": {"cilium", nil,
			Chosen{IPAM: "cluster-pool", Pool: cnitest.CIDRs("10.0.0.0/8"), OperatorReplicas: 2}},
		"Cilium of kubeadm, without kube-proxy, on one node": {"cilium", tree("ipam", tree("mode", "kubernetes"), "kubeProxyReplacement", "true",
			"operator", tree("replicas", 1)), Chosen{IPAM: "kubernetes", ReplacesProxy: true, OperatorReplicas: 1}},
		"Calico": {"calico", tree("installation", tree("calicoNetwork", tree("linuxDataplane", "BPF", "ipPools",
			[]any{tree("cidr", "10.1.0.0/16"), "junk"}))), Chosen{IPAM: "calico-ipam", ReplacesProxy: true, Pool: cnitest.CIDRs("10.1.0.0/16")}},
		"Antrea": {"antrea", tree("antreaProxy", tree("proxyAll", true)), Chosen{ReplacesProxy: true}},
		"Kube-OVN as its chart is": {"kube-ovn", nil, Chosen{IPAM: "Subnets of Kube-OVN", Pool: cnitest.CIDRs("10.16.0.0/16"),
			Labels: map[string]string{"kube-ovn/role": "master"}}},
		"Kube-OVN of two families": {"kube-ovn", tree("networking", tree("stack", "Dual", "pods", tree("cidr", tree("v4", "10.2.0.0/16", "v6",
			"fd00:2::/64"))), "masterNodesLabels", tree("node-role.kubernetes.io/control-plane", "")), Chosen{IPAM: "Subnets of Kube-OVN",
			Pool: cnitest.CIDRs("10.2.0.0/16", "fd00:2::/64"), Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := Find(c.network)
			if err != nil {
				t.Fatal(err)
			}
			if got := n.Chosen(c.given); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
