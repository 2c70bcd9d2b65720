// SPDX-License-Identifier: Apache-2.0

package join

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestCommand(t *testing.T) {
	token := token(t)
	one := Cluster{Endpoint: "api.example.com:6443", Pins: []string{pinRSA}}
	tests := []struct {
		name    string
		cluster Cluster
		options CommandOptions
		want    string
	}{
		{"a worker needs endpoint, token and pin", one, CommandOptions{},
			"kubeadm join api.example.com:6443 --token " + jointest.Given + " --discovery-token-ca-cert-hash " + pinRSA},
		{"each authority is one flag", Cluster{Endpoint: "10.0.0.1:6443", Pins: []string{pinRSA, pinECDSA}}, CommandOptions{},
			"kubeadm join 10.0.0.1:6443 --token " + jointest.Given + " --discovery-token-ca-cert-hash " + pinRSA +
				" --discovery-token-ca-cert-hash " + pinECDSA},
		{"options follow", one, CommandOptions{NodeName: "worker-3", CRISocket: "unix:///run/containerd/containerd.sock",
			IgnorePreflightErrors: []string{"Swap", "SystemVerification"}},
			"kubeadm join api.example.com:6443 --token " + jointest.Given + " --discovery-token-ca-cert-hash " + pinRSA +
				" --node-name worker-3 --cri-socket unix:///run/containerd/containerd.sock --ignore-preflight-errors Swap,SystemVerification"},
		{"a control plane has a key to the certificates", one, CommandOptions{CertificateKey: "0123abcd", NodeName: "cp-2"},
			"kubeadm join api.example.com:6443 --token " + jointest.Given + " --discovery-token-ca-cert-hash " + pinRSA +
				" --control-plane --certificate-key 0123abcd --node-name cp-2"},
		{"an IPv6 address is quoted, or the shell would take it for a pattern", Cluster{Endpoint: "[fd00::1]:6443"}, CommandOptions{},
			"kubeadm join '[fd00::1]:6443' --token " + jointest.Given},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Command(tt.cluster, token, tt.options); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCommandOptionsValidate(t *testing.T) {
	tests := []struct {
		name    string
		options CommandOptions
		wantErr string
	}{
		{"none are fine", CommandOptions{}, ""},
		{"a socket may be an address", CommandOptions{CRISocket: "unix:///run/crio/crio.sock"}, ""},
		{"or a path", CommandOptions{CRISocket: "/run/crio/crio.sock"}, ""},
		{"not a TCP address", CommandOptions{CRISocket: "tcp://10.0.0.1:1"}, "not a CRI socket"},
		{"not a relative path", CommandOptions{CRISocket: "unix://run/crio.sock"}, "not a CRI socket"},
		{"nor two lines", CommandOptions{CRISocket: "/run/a\nb"}, "not a CRI socket"},
		{"checks have names", CommandOptions{IgnorePreflightErrors: []string{"FileAvailable--etc-kubernetes-kubelet.conf", "Port-10250"}}, ""},
		{"all may be given alone", CommandOptions{IgnorePreflightErrors: []string{"all"}}, ""},
		{"but not beside others", CommandOptions{IgnorePreflightErrors: []string{"Swap", "ALL"}}, "together"},
		{"a check is no sentence", CommandOptions{IgnorePreflightErrors: []string{"a b"}}, "not the name of a kubeadm check"},
		{"a node has a DNS name", CommandOptions{NodeName: "Worker 3"}, "not a valid name of a node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			jointest.WantClass(t, tt.options.Validate(), plan.Misused, tt.wantErr)
		})
	}
}

func token(t *testing.T) bootstrap.Token {
	t.Helper()
	given, err := bootstrap.Parse(jointest.Given)
	if err != nil {
		t.Fatal(err)
	}
	return given
}
