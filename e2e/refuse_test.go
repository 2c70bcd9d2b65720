// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// refusal is bad input: how it ends, and what is said about it, the way out
// among it.
type refusal struct {
	name string
	args []string
	code int
	says []string
	env  []string
}

// refuses runs each and fails the test unless it ends as it should, and leaves
// the cluster as it was.
func (b *bed) refuses(t *testing.T, host string, cases ...refusal) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b.unchanged(t, host, func() {
				b.env = c.env
				defer func() { b.env = nil }()
				o := b.run(t, c.code, c.args...)
				o.says(t, append([]string{"error: "}, c.says...)...)
				if o.stdout != "" {
					t.Errorf("stdout %q, want nothing", o.stdout)
				}
			})
		})
	}
}

// kubeconfigOfClosedPort names an API server where nobody listens.
func kubeconfigOfClosedPort(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "closed")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x",
"clusters":[{"name":"x","cluster":{"server":"https://127.0.0.1:1"}}],
"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bed) stageBadInput(t *testing.T) {
	none := []string{"KUBECONFIG=" + filepath.Join(t.TempDir(), "none")}
	closed := []string{"KUBECONFIG=" + kubeconfigOfClosedPort(t)}
	expired := b.expiredToken(t)
	b.refuses(t, "",
		refusal{"inspect without a kubeconfig", []string{"inspect", b.worker}, 4, []string{"--kubeconfig"}, none},
		refusal{"join without a kubeconfig", []string{"join"}, 4, []string{"--kubeconfig"}, none},
		refusal{"cni install without a kubeconfig", b.cniInstall(), 4, []string{"--kubeconfig"}, none},
		refusal{"remove without an API server", []string{"remove", b.worker, "--yes"}, 4,
			[]string{"connection refused", "kubectl cluster-info"}, closed},
		refusal{"drain without an API server", []string{"drain", b.worker}, 4, []string{"connection refused", "kubectl cluster-info"}, closed},
		refusal{"join without an API server", []string{"join"}, 4, []string{"connection refused", "kubectl cluster-info"}, closed},
		refusal{"cni install without an API server", b.cniInstall(), 4, []string{"connection refused", "kubectl cluster-info"}, closed},

		refusal{"a network that is not known", []string{"cni", "install", "flanel"}, 2, []string{"flanel", "flannel"}, nil},
		refusal{"a chart that is not there", []string{"cni", "install", "flannel", "--chart", "/nowhere/chart"}, 4,
			[]string{"/nowhere/chart", "--chart"}, nil},
		refusal{"a pod network that contradicts the cluster", b.cniInstall("--set", "podCidr=10.99.0.0/16"), 4,
			[]string{"10.99.0.0/16", "10.244.0.0/16"}, nil},

		refusal{"inspect of an unknown node", []string{"inspect", "nobody"}, 4, []string{"nobody", "kubectl get nodes"}, nil},
		refusal{"drain of an unknown node", []string{"drain", "nobody"}, 4, []string{"nobody", "kubectl get nodes"}, nil},
		refusal{"remove of an unknown node", []string{"remove", "nobody", "--yes"}, 4, []string{"nobody", "--ignore-not-found"}, nil},
		refusal{"remove of the control plane", []string{"remove", b.controlPlane, "--yes"}, 4, []string{b.controlPlane, "control-plane"}, nil},
		refusal{"remove without a terminal and without --yes", []string{"remove", b.worker}, 2, []string{"--yes"}, nil},

		refusal{"a malformed token", []string{"join", "--bootstrap-token", "not-a-token"}, 2, []string{"token"}, nil},
		refusal{"an expired token", []string{"join", "--bootstrap-token", expired}, 4, []string{expired, "expired"}, nil},
	)
}

// expiredToken is the ID of a bootstrap token that has expired, which means
// that the cluster's own cleaner has taken it away.
func (b *bed) expiredToken(t *testing.T) string {
	t.Helper()
	const id = "e2eold"
	b.kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata: {name: bootstrap-token-%[1]s, namespace: kube-system}
stringData:
  token-id: %[1]s
  token-secret: e2e0000000000old
  expiration: "2020-01-01T00:00:00Z"
  usage-bootstrap-authentication: "true"
  usage-bootstrap-signing: "true"
  auth-extra-groups: system:bootstrappers:kubeadm:default-node-token
`, id), "apply", "-f", "-")
	b.kubectl(t, "", "-n", "kube-system", "wait", "--for=delete", "--timeout=60s", "secret/bootstrap-token-"+id)
	return id
}
