// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

// firstBySSH makes a cluster of its own on a host that no cluster has: by the product
// alone, cut in the middle, and finished by the same command.
func (b *bed) firstBySSH(t *testing.T, name string) {
	t.Helper()
	dir := t.TempDir()
	other := *b
	other.kubeconfig = filepath.Join(dir, "kubeconfig")
	// What the nodes of the bed need, of kubelets and of kube-proxy, this host needs, too.
	file := filepath.Join(dir, "kubeadm.yaml")
	config := b.kubectl(t, "", "-n", "kube-system", "get", "configmap", "kubelet-config", "-o", `jsonpath={.data.kubelet}`) + "\n---\n" +
		b.kubectl(t, "", "-n", "kube-system", "get", "configmap", "kube-proxy", "-o", `jsonpath={.data.config\.conf}`)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"init", "--ssh", "root@new", "--config", file, "--ignore-preflight-errors", "SystemVerification", "--untaint",
		"--context", "alone"}
	other.run(t, 0, append(args, "--dry-run")...).shows(t, "podSubnet: 10.244.0.0/16", "taints: []")
	other.run(t, 5, append(args, "--timeout", "8s")...)
	start := time.Now()
	o := other.must(t, args...)
	b.took("init --ssh, after it was cut", time.Since(start))
	o.shows(t, "made", name)
	o.says(t, "no --endpoint", "cni install flannel --context alone")
	written, err := clientcmd.LoadFromFile(other.kubeconfig)
	if err != nil || written.CurrentContext != "alone" {
		t.Fatalf("the kubeconfig: %v", err)
	}
	if info, err := os.Stat(other.kubeconfig); err != nil || info.Mode() != 0o600 {
		t.Errorf("the kubeconfig is for others, too: %v", err)
	}
	b.ears.learn(string(written.AuthInfos["alone"].ClientKeyData), "the key of an administrator")
	other.must(t, args...).shows(t, "already made")
	if found, err := filepath.Glob(other.kubeconfig + ".*"); err != nil || len(found) != 0 {
		t.Errorf("beside the kubeconfig: %v, %v", found, err)
	}
	other.run(t, 3, append(args, "--cluster-name", "x")...).says(t, "made with other settings")
	b.run(t, 4, "join", "--ssh", "root@new")
	other.must(t, append(other.cniInstall(), "--context", "alone", "--probe=false")...)
	other.kubectl(t, "", "wait", "--for=condition=Ready", "node/"+name, "--timeout=60s")
	other.kubectl(t, "", "-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=90s")
	other.kubectl(t, "", "-n", "kube-system", "wait", "--for=delete", "secrets", "--field-selector", "type=bootstrap.kubernetes.io/token",
		"--timeout=90s")
	if said := b.host(t, name, `ls -d /run/kubectl-lifecycle* 2>/dev/null; journalctl -b --no-pager | grep -c 'CLIENT-KEY' || true`); strings.TrimSpace(
		said) != "0" {
		t.Errorf("left on the host: %s", said)
	}
}
