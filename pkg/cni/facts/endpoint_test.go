// SPDX-License-Identifier: Apache-2.0

package facts

import "testing"

func TestTheAPIIsWhereNodesReachIt(t *testing.T) {
	const kubeadm, info = "controlPlaneEndpoint of configmap kube-system/kubeadm-config", "configmap kube-public/cluster-info"
	for name, c := range map[string]struct {
		endpoint, server string
		want             Address
	}{
		"kubeadm's configuration comes first": {"powercess.com:6443", "https://10.0.0.1:6443", Address{"powercess.com", "6443", kubeadm}},
		"without a port it is kubeadm's":      {"api.local", "", Address{"api.local", "6443", kubeadm}},
		"an IPv6 address has brackets":        {"[fd00::1]:8443", "", Address{"fd00::1", "8443", kubeadm}},
		"an IPv6 address without a port":      {"[fd00::1]", "", Address{"fd00::1", "6443", kubeadm}},
		"one control plane has no name":       {"", "https://192.168.1.2:6443", Address{"192.168.1.2", "6443", info}},
		"nothing says it":                     {"", "", Address{}},
		"what is no address is not passed on": {"a b:1", "https://$(x):1", Address{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (Facts{Endpoint: c.endpoint, Server: c.server}).API(); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}
