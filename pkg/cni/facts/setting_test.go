// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func ovnController(args ...string) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Command: []string{"/kube-ovn/start-controller.sh"}, Args: args}}
	return d
}

func TestWhatANetworkSaysOfAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		got                              Setting
		ipam, pool, join, services, word string
	}{
		"flannel names its range": {flannelSetting(map[string]string{"net-conf.json": `{"Network":"10.244.0.0/16","IPv6Network":"fd00::/56"}`}),
			"the nodes' pod CIDRs", "10.244.0.0/16,fd00::/56", "", "", ""},
		"flannel's that is no JSON says nothing": {flannelSetting(map[string]string{"net-conf.json": "{"}), "", "", "", "", ""},
		"Cilium's own pool": {ciliumSetting(map[string]string{"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8 10.64.0.0/16",
			"kube-proxy-replacement": "true"}), "cluster-pool", "10.0.0.0/8,10.64.0.0/16", "", "", "true"},
		"Cilium's pool does not count where nodes' CIDRs do": {ciliumSetting(map[string]string{"ipam": "kubernetes",
			"cluster-pool-ipv4-cidr": "10.0.0.0/8", "kube-proxy-replacement": "false"}), "kubernetes", "", "", "", "false"},
		"an older Cilium's degree of replacement is not understood": {ciliumSetting(map[string]string{"ipam": "kubernetes",
			"kube-proxy-replacement": "strict"}), "kubernetes", "", "", "", ""},
		"no configmap of Cilium": {ciliumSetting(nil), "", "", "", "", ""},
		"Kube-OVN's arguments": {ovnSetting(ovnController("--default-cidr=10.16.0.0/16,fd00:10:16::/112", "--node-switch-cidr=100.64.0.0/16",
			"--service-cluster-ip-range=10.96.0.0/12")), "Subnets of Kube-OVN", "10.16.0.0/16,fd00:10:16::/112",
			"100.64.0.0/16", "10.96.0.0/12", ""},
		"Calico's pools, but for those that are disabled": {calicoSetting([]byte(
			`{"items":[{"spec":{"cidr":"10.244.0.0/16"}},{"spec":{"cidr":"10.9.0.0/16","disabled":true}},{"spec":{"cidr":"ten"}}]}`)),
			"calico-ipam", "10.244.0.0/16", "", "", ""},
		"no pools of Calico": {calicoSetting(nil), "", "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			word := ""
			if c.got.Proxy != nil {
				word = text.Choose(*c.got.Proxy, "true", "false")
			}
			got := []string{c.got.IPAM, cidr.List(c.got.Pool), cidr.List(c.got.Join), cidr.List(c.got.Services), word}
			want := []string{c.ipam, c.pool, c.join, c.services, c.word}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("got %q, want %q", got, want)
					break
				}
			}
		})
	}
}

func FuzzSettings(f *testing.F) {
	f.Add(`{"Network":"10.244.0.0/16"}`, "10.0.0.0/8", "--default-cidr=10.16.0.0/16")
	f.Fuzz(func(_ *testing.T, json, word, arg string) {
		flannelSetting(map[string]string{"net-conf.json": json})
		ciliumSetting(map[string]string{"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": word, "kube-proxy-replacement": word})
		ovnSetting(ovnController(arg, word))
		calicoSetting([]byte(json))
		serverOf(json)
	})
}
