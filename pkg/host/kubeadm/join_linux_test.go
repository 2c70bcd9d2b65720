// SPDX-License-Identifier: Apache-2.0

package kubeadm

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// installed is a host with both programs, whose "kubeadm join" does join.
func installed(dir, version string, join func(config []byte) (string, error)) host.Local {
	return host.Local{Root: dir, Exec: func(_ context.Context, c host.Command) (string, error) {
		switch {
		case version == "":
			return "", errors.New("not found")
		case c.Name == "kubelet":
			return "Kubernetes " + version + "\n", nil
		case c.Args[0] == "version":
			return version + "\n", nil
		}
		raw, err := os.ReadFile(filepath.Join(dir, c.Args[2]))
		if err != nil {
			return "", err
		}
		return join(raw)
	}}
}

func TestAHostIsAskedWhetherItCouldJoin(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" || r.URL.Path != "/api/v1/namespaces/kube-system/configmaps/kubeadm-config" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	other := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: otherCertificate(t)}))
	endpoint := strings.TrimPrefix(server.URL, "https://")
	for name, tc := range map[string]struct {
		join    Join
		version string
		refusal string
	}{
		"with its token":            {Join{Endpoint: endpoint, CA: ca, Token: "good"}, "v1.36.3", ""},
		"with another token":        {Join{Endpoint: endpoint, CA: ca, Token: "bad"}, "v1.36.3", "403 Forbidden to the bootstrap token"},
		"without one, in a dry run": {Join{Endpoint: endpoint, CA: ca}, "v1.36.3", ""},
		"nobody answers": {Join{Endpoint: "127.0.0.1:1", CA: ca}, "v1.36.3",
			"from this host, the API server at 127.0.0.1:1 does not answer"},
		"it is another cluster":       {Join{Endpoint: endpoint, CA: other}, "v1.36.3", "does not answer"},
		"its programs are too old":    {Join{Endpoint: endpoint, CA: ca, Version: "v1.36.3"}, "v1.31.0", "cannot join a control plane"},
		"nothing is installed on it":  {Join{Endpoint: endpoint, CA: ca}, "", "not found"},
		"its programs say no version": {Join{Endpoint: endpoint, CA: ca, Version: "v1.36.3"}, "nonsense", "is not a version"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.join.Host = installed(t.TempDir(), tc.version, nil)
			err := tc.join.Check(t.Context())
			if tc.refusal == "" && err != nil || tc.refusal != "" && (err == nil || !strings.Contains(err.Error(), tc.refusal)) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// otherCertificate is one that nobody uses.
func otherCertificate(t *testing.T) []byte {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	raw := append([]byte(nil), server.Certificate().Raw...)
	raw[len(raw)-1] ^= 1 // its signature
	return raw
}

func TestTheTokenOfAJoinIsInAFileAndNowhereElse(t *testing.T) {
	dir := t.TempDir()
	said := error(nil)
	var config struct {
		APIVersion       string
		NodeRegistration struct {
			Name, CriSocket       string
			IgnorePreflightErrors []string
		}
		Discovery struct {
			BootstrapToken struct {
				Token, APIServerEndpoint string
				CACertHashes             []string
			}
		}
	}
	j := Join{
		Endpoint: "api:6443", Pins: []string{"sha256:1"}, Token: "abcdef.0123456789abcdef", File: "/join.json", Node: "w1",
		CRISocket: "/run/c.sock", IgnorePreflightErrors: []string{"Swap"},
		Host: installed(dir, "v1.36.3", func(raw []byte) (string, error) {
			info, err := os.Stat(filepath.Join(dir, "join.json"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, %v", info, err)
			}
			return "", errors.Join(json.Unmarshal(raw, &config), said)
		}),
	}
	if err := j.Do(t.Context()); err != nil {
		t.Error(err)
	}
	b := config.Discovery.BootstrapToken
	if config.APIVersion != "kubeadm.k8s.io/v1beta4" || b.Token != j.Token || b.APIServerEndpoint != "api:6443" || len(b.CACertHashes) != 1 ||
		config.NodeRegistration.Name != "w1" || config.NodeRegistration.CriSocket != "unix:///run/c.sock" ||
		len(config.NodeRegistration.IgnorePreflightErrors) != 1 {
		t.Errorf("configuration: %+v", config)
	}
	said = &host.CommandError{Err: errors.New("exit status 1"),
		Output: "[preflight] Running\n\t[ERROR Port-10250]: Port 10250 is in use\nmore\n"}
	if err := j.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "Port-10250") || strings.Contains(err.Error(), "Running") ||
		strings.Contains(err.Error(), "0123456789abcdef") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "join.json")); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// kubeadm that ends with its checks has changed nothing, and the same command ends there
// again; what it says later is another matter (kubernetes/system-validators#58).
func TestAJoinThatKubeadmRefusesHasNotBegun(t *testing.T) {
	for name, tc := range map[string]struct {
		output string
		hint   string // empty if it has begun
	}{
		"one check": {"[preflight] Running pre-flight checks\nerror execution phase preflight: [preflight] Some fatal errors occurred:\n" +
			"\t[ERROR SystemVerification]: cgroups v1 support is deprecated\n", "--ignore-preflight-errors SystemVerification"},
		"several, one of them twice": {"\t[ERROR Port-10250]: in use\n\t[ERROR FileAvailable--etc-kubernetes-pki-ca.crt]: exists\n" +
			"\t[ERROR Port-10250]: x\n",
			"--ignore-preflight-errors Port-10250,FileAvailable--etc-kubernetes-pki-ca.crt"},
		"the token is not taken": {"error execution phase preflight: couldn't validate the identity of the API Server: x\n",
			"mend that on the host"},
		"two runtimes answer": {"Found multiple CRI endpoints on the host. Please define which one do you wish to use by setting the " +
			"'criSocket' field in the kubeadm configuration file: unix:///var/run/containerd/containerd.sock, unix:///var/run/crio/crio.sock\n" +
			"To see the stack trace of this error execute with --v=5 or higher\n", "--cri-socket"},
		"a later phase":         {"[preflight] ok\n[kubelet-start] Writing\nerror execution phase kubelet-start: timed out\n", ""},
		"a warning before that": {"\t[ERROR X]: ignored\n[kubelet-start] Writing\nerror execution phase kubelet-start: timed out\n", ""},
		"nothing that is known": {"Killed\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := Join{Endpoint: "api:6443", Token: "abcdef.0123456789abcdef", File: "/join.json", Node: "w1",
				Host: installed(t.TempDir(), "v1.36.3", func([]byte) (string, error) {
					return "", &host.CommandError{Err: errors.New("exit status 1"), Output: tc.output}
				})}
			err := j.Do(t.Context())
			if refused := plan.ClassOf(err) == plan.Refused; refused != (tc.hint != "") || !strings.Contains(plan.HintOf(err), tc.hint) {
				t.Errorf("refused %v, %v, hint %q", refused, err, plan.HintOf(err))
			}
		})
	}
}

func TestAControlPlaneHasItsKeyInTheFile(t *testing.T) {
	for key, want := range map[string]bool{"": false, "0123abcd": true} {
		for _, version := range []string{"v1.30.1", "v1.36.3"} {
			raw, err := Join{Endpoint: "api:6443", Token: "t", Node: "n", CertificateKey: key}.configuration(version)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(raw), `"controlPlane":{"certificateKey":"0123abcd"}`); got != want {
				t.Errorf("key %q, %s: %s", key, version, raw)
			}
			if !want && strings.Contains(string(raw), "controlPlane") {
				t.Errorf("a worker would become a control plane: %s", raw)
			}
		}
	}
}
