// SPDX-License-Identifier: Apache-2.0

package join

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

const (
	pinRSA     = "sha256:08cdae7d6ac94cc1fd9efa388a8dcc3be2ea681798963a2bb9583a54b0676b04"
	pinECDSA   = "sha256:2cb88fe3511da3b242833eda63d244f8e5ad19a91094c0cb6bccaa8b63b49245"
	pinEd25519 = "sha256:827e79bca944c556daf0cab802d5249cbfcc6db0011bad99d3b1318b422cd107"
)

func bundle(t *testing.T, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		pem, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pem...)
	}
	return all
}

// infoKubeconfig is the kubeconfig of cluster-info the way kubeadm writes it.
func infoKubeconfig(t *testing.T, server string, ca []byte) string {
	t.Helper()
	out, err := clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"": {Server: server, CertificateAuthorityData: ca}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestPinIsWhatOpensslComputes(t *testing.T) {
	for file, want := range map[string]string{"ca-rsa.crt": pinRSA, "ca-ecdsa.crt": pinECDSA, "ca-ed25519.crt": pinEd25519} {
		cas, err := certutil.ParseCertsPEM(bundle(t, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := Pin(cas[0]); got != want {
			t.Errorf("Pin(%s) = %s, want %s", file, got, want)
		}
	}
}

func TestDescribeCluster(t *testing.T) {
	ca := bundle(t, "ca-rsa.crt")
	const config = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\ncontrolPlaneEndpoint: " +
		"api.example.com:6443\n"
	tests := []struct {
		name       string
		kubeconfig string
		config     string
		want       Cluster
		wantErr    string
	}{
		{
			name:       "an ordinary cluster gives endpoint, pin and version",
			kubeconfig: infoKubeconfig(t, "https://api.example.com:6443", ca), config: config,
			want: Cluster{Endpoint: "api.example.com:6443", Pins: []string{pinRSA}, ControlPlaneEndpoint: "api.example.com:6443",
				KubernetesVersion: "v1.36.3"},
		},
		{
			name:       "several authorities give a pin each, in their order",
			kubeconfig: infoKubeconfig(t, "https://api.example.com:6443", bundle(t, "ca-ecdsa.crt", "ca-rsa.crt")), config: config,
			want: Cluster{Endpoint: "api.example.com:6443", Pins: []string{pinECDSA, pinRSA}, ControlPlaneEndpoint: "api.example.com:6443",
				KubernetesVersion: "v1.36.3"},
		},
		{
			name:       "an address without a port gets that of https",
			kubeconfig: infoKubeconfig(t, "https://api.example.com", ca), config: config,
			want: Cluster{
				Endpoint: "api.example.com:443", Pins: []string{pinRSA}, ControlPlaneEndpoint: "api.example.com:6443", KubernetesVersion: "v1.36.3",
				Warnings: []check.Warning{{
					Text: "cluster-info names api.example.com:443, but the control plane endpoint is api.example.com:6443; hosts will use the first",
					Hint: "if hosts cannot reach it, correct it: kubectl -n kube-public edit configmap cluster-info",
				}},
			},
		},
		{
			name:       "a cluster without a control plane endpoint is fine",
			kubeconfig: infoKubeconfig(t, "https://[fd00::10]:6443", ca), config: "kind: ClusterConfiguration\n",
			want: Cluster{Endpoint: "[fd00::10]:6443", Pins: []string{pinRSA}},
		},
		{name: "a bundle that is missing is refused", kubeconfig: infoKubeconfig(t, "https://a:1", nil), config: config,
			wantErr: "no certificate authority"},
		{name: "a bundle that is no PEM is refused", kubeconfig: infoKubeconfig(t, "https://a:1", []byte("x")), config: config,
			wantErr: "certificate authorities"},
		{name: "plain http is refused", kubeconfig: infoKubeconfig(t, "http://a:1", ca), config: config, wantErr: "not an https address"},
		{name: "a broken kubeconfig is refused", kubeconfig: "clusters: {", config: config, wantErr: "kubeconfig"},
		{name: "an empty cluster-info is refused", kubeconfig: "", config: config, wantErr: "names 0 clusters"},
		{name: "a broken ClusterConfiguration is refused", kubeconfig: infoKubeconfig(t, "https://a:1", ca), config: "kind: [",
			wantErr: "kube-system/kubeadm-config"},
		{name: "another kind in its place is refused", kubeconfig: infoKubeconfig(t, "https://a:1", ca), config: "kind: Foo",
			wantErr: "no ClusterConfiguration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := describeCluster(tt.kubeconfig, tt.config)
			jointest.WantRefusal(t, err, tt.wantErr)
			if want := len(got.Pins); strings.Count(got.CA, "BEGIN CERTIFICATE") != want {
				t.Errorf("%d pins, and the authorities are %s", want, got.CA)
			}
			got.CA = ""
			if diff := cmp.Diff(tt.want, got); tt.wantErr == "" && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDefaultCluster(t *testing.T) {
	one, two := &clientcmdapi.Cluster{Server: "one"}, &clientcmdapi.Cluster{Server: "two"}
	tests := []struct {
		name   string
		config clientcmdapi.Config
		want   *clientcmdapi.Cluster
	}{
		{"the unnamed cluster comes first", clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"": one, "b": two}}, one},
		{"else that of the current context", clientcmdapi.Config{
			Clusters: map[string]*clientcmdapi.Cluster{"a": one, "b": two}, CurrentContext: "c",
			Contexts: map[string]*clientcmdapi.Context{"c": {Cluster: "b"}},
		}, two},
		{"else the only one", clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"a": one}}, one},
		{"two without a choice are none", clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"a": one, "b": two}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := defaultCluster(&tt.config)
			if got != tt.want || (err == nil) != (tt.want != nil) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestEndpointWarnings(t *testing.T) {
	tests := []struct {
		name, endpoint, controlPlane string
		want                         []string
	}{
		{"equal endpoints are fine", "api:6443", "api:6443", nil},
		{"a name in other letters is the same", "API.example.com:6443", "api.example.com.:6443", nil},
		{"an address written longer is the same", "[fd00::1]:6443", "[fd00:0:0::1]:6443", nil},
		{"a missing port is any", "api:6443", "api", nil},
		{"no control plane endpoint is nothing to compare with", "10.0.0.1:6443", "", nil},
		{"another host differs", "10.0.0.1:6443", "api:6443", []string{"hosts will use the first"}},
		{"another port differs", "api:6443", "api:443", []string{"hosts will use the first"}},
		{"a loopback address leads nowhere", "127.0.0.2:6443", "127.0.0.2:6443", []string{"the host itself"}},
		{"so does localhost", "localhost:6443", "", []string{"the host itself"}},
		{"so does the IPv6 loopback", "[::1]:6443", "", []string{"the host itself"}},
		{"so does a mapped loopback", "[::ffff:127.0.0.1]:6443", "", []string{"the host itself"}},
		{"so does the unspecified address", "0.0.0.0:6443", "", []string{"the host itself"}},
		{"loopback where a name was meant is two faults", "localhost:6443", "api:6443", []string{"the host itself", "hosts will use the first"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantWarnings(t, endpointWarnings(tt.endpoint, tt.controlPlane), tt.want...)
		})
	}
}
