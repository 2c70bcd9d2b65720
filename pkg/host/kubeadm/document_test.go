// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func documents(t *testing.T, texts ...string) (all Documents) {
	t.Helper()
	for _, one := range texts {
		all = append(all, json.RawMessage(one))
	}
	return all
}

func aHost(kubeadm, kubelet string) Local {
	_, lan, _ := net.ParseCIDR("10.0.0.0/24")
	return Local{Versions: Versions{kubeadm, kubelet}, Address: "10.0.0.2", Nets: []*net.IPNet{lan}, Token: "abcdef.0123456789abcdef"}
}

const initDocument = `{"kind": "InitConfiguration"}`

func TestAConfigurationIsCompletedByItsHost(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster, first   string
		endpoint, within string
		assumed          bool
	}{
		"nothing was named": {`{"kind": "ClusterConfiguration"}`, initDocument, "10.0.0.2:6443",
			`"kubernetesVersion":"v1.36.3"`, true},
		"a name as endpoint": {`{"kind": "ClusterConfiguration", "controlPlaneEndpoint": "api.example.com"}`, initDocument,
			"api.example.com:6443", `"advertiseAddress":"10.0.0.2"`, false},
		"an endpoint with a port": {`{"kind": "ClusterConfiguration", "controlPlaneEndpoint": "api.example.com:443"}`, initDocument,
			"api.example.com:443", `"controlPlaneEndpoint":"api.example.com:443"`, false},
		"an address of IPv6": {`{"kind": "ClusterConfiguration", "controlPlaneEndpoint": "fd00::1"}`, initDocument,
			"[fd00::1]:6443", `"controlPlaneEndpoint":"[fd00::1]:6443"`, false},
		"another address and port": {`{"kind": "ClusterConfiguration"}`,
			`{"kind": "InitConfiguration", "localAPIEndpoint": {"advertiseAddress": "10.0.0.9", "bindPort": 7443}}`,
			"10.0.0.9:7443", `"bindPort":7443`, true},
		"a token of its own": {`{"kind": "ClusterConfiguration"}`,
			`{"kind": "InitConfiguration", "bootstrapTokens": [{"token": "theirs.0123456789abcdef"}]}`,
			"10.0.0.2:6443", `[{"token":"theirs.0123456789abcdef"}]`, true},
		"no token": {`{"kind": "ClusterConfiguration"}`, initDocument, "10.0.0.2:6443", `"ttl":"1m0s"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			file, s, err := documents(t, tc.cluster, tc.first).Complete(aHost("v1.36.3", "v1.36.3"))
			if err != nil || s.Endpoint != tc.endpoint || s.Assumed != tc.assumed || !strings.Contains(string(file), tc.within) {
				t.Errorf("%+v, %v\n%s", s, err, file)
			}
		})
	}
}

func TestAConfigurationThatCannotWorkOnItsHostIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster  string
		adm, let string
		why      string
	}{
		"a kubeadm that does not read the form": {`{}`, "v1.30.1", "v1.30.1", "does not read the configuration's form"},
		"a version that is newer":               {`{"kubernetesVersion": "v1.37.0"}`, "v1.36.3", "v1.36.3", "cannot make a control plane of v1.37.0"},
		"a version two back":                    {`{"kubernetesVersion": "v1.34.0"}`, "v1.36.3", "v1.34.3", "cannot make a control plane of v1.34.0"},
		"a kubelet that is newer":               {`{"kubernetesVersion": "v1.35.0"}`, "v1.36.3", "v1.36.3", "kubelet is v1.36.3"},
		"a version that is none":                {`{"kubernetesVersion": "stable-1"}`, "v1.36.3", "v1.36.3", "is not a version"},
		"pods in the host's network":            {`{"networking": {"podSubnet": "10.0.0.0/8"}}`, "v1.36.3", "v1.36.3", "podSubnet 10.0.0.0/8 overlaps 10.0.0.0/24"},
		"Services in it, the second of two": {`{"networking": {"serviceSubnet": "fd00::/108,10.0.0.128/25"}}`, "v1.36.3", "v1.36.3",
			"serviceSubnet 10.0.0.128/25 overlaps"},
		"certificates elsewhere": {`{"certificatesDir": "/srv/pki"}`, "v1.36.3", "v1.36.3", "certificatesDir is /srv/pki"},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := strings.Replace(tc.cluster, "{", `{"kind": "ClusterConfiguration",`, 1)
			_, _, err := documents(t, strings.Replace(cluster, ",}", "}", 1), initDocument).Complete(aHost(tc.adm, tc.let))
			if err == nil || !strings.Contains(err.Error(), tc.why) || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
	_, _, err := documents(t, `{"kind": "ClusterConfiguration"}`, initDocument).Complete(Local{Versions: Versions{"v1.36.3", "v1.36.3"}})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--advertise-address") {
		t.Errorf("a host without an address: %v", err)
	}
	if _, _, err := documents(t, initDocument).Complete(aHost("v1.36.3", "v1.36.3")); err == nil {
		t.Error("no ClusterConfiguration, and no error")
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"kind": "ClusterConfiguration", "networking": {"podSubnet": "10.0.0.0/8,"}, "controlPlaneEndpoint": "[::"}`),
		[]byte(`{"kind": "InitConfiguration", "localAPIEndpoint": 7, "skipPhases": [1, "x"]}`))
	f.Fuzz(func(t *testing.T, cluster, first []byte) {
		file, s, err := Documents{cluster, first}.Complete(aHost("v1.36.3", "v1.36.3"))
		if err == nil && (s.Endpoint == "" || s.Version == "" || len(file) == 0) {
			t.Errorf("%+v", s)
		}
	})
}
