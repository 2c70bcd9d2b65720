// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// plantAdmins is a file of an administrator's, there before the host joins, that
// leads to the cluster.
const plantAdmins = `mkdir -p /etc/monitoring && cat >/etc/monitoring/agent.conf`

// plantPlugins is what Multus, in front of flannel, and Istio write on a node
// (their DaemonSets' own files and names).
const plantPlugins = `set -e
cd /etc/cni/net.d; mkdir -p multus.d whereabouts.d
cat >multus.d/multus.kubeconfig; cp multus.d/multus.kubeconfig ZZZ-istio-cni-kubeconfig
cp multus.d/multus.kubeconfig whereabouts.d/whereabouts.kubeconfig
echo '{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig",
"delegates":[{"name":"cbr0","plugins":[{"type":"flannel"}]}]}' >00-multus.conf
echo '{"cniVersion":"0.3.1","name":"istio-cni","type":"istio-cni",
"kubernetes":{"kubeconfig":"/etc/cni/net.d/ZZZ-istio-cni-kubeconfig"}}' >YYY-istio-cni.conf
`

// stageTraces: what plugins beside the network leave goes, an administrator's file
// that leads to the cluster stays, is named and is no "clean", and the host joins
// again with a network that works.
func (b *bed) stageTraces(t *testing.T) {
	b.withNetwork(t)
	if b.node(t, b.blank) != nil {
		b.must(t, "remove", b.blank, "--yes")
	}
	config, token := b.leadingConfig(t)
	b.hostReads(t, b.blank, plantAdmins, config)
	b.joined(t)
	b.hostReads(t, b.blank, plantPlugins, config)
	o := b.run(t, 3, "remove", b.blank, "--yes")
	o.says(t, "/etc/monitoring/agent.conf", "clean, but", "default/default")
	if !strings.Contains(o.stdout, "node/"+b.blank+" removed, its host is clean, but 1 thing") {
		t.Errorf("stdout %q", o.stdout)
	}
	if strings.Contains(o.stdout+o.stderr, token) {
		t.Error("the token is said")
	}
	if b.node(t, b.blank) != nil {
		t.Error("the Node is still there")
	}
	if left := b.host(t, b.blank, "find /etc/cni/net.d -mindepth 1"); left != "" {
		t.Errorf("left in /etc/cni/net.d: %s", left)
	}
	if got := b.host(t, b.blank, "cat /etc/monitoring/agent.conf"); got != config {
		t.Errorf("the administrator's file is not what it was:\n%s", got)
	}
	b.joined(t)
	b.crossNodes(t)
	b.host(t, b.blank, "rm -r /etc/monitoring")
	if o := b.must(t, "remove", b.blank, "--yes"); !strings.Contains(o.stdout, "its host is clean\n") {
		t.Errorf("stdout %q", o.stdout)
	}
	b.isPristine(t, b.blank, b.pristine)
}

// leadingConfig is a kubeconfig that leads to the cluster, and the token in it.
func (b *bed) leadingConfig(t *testing.T) (config, token string) {
	t.Helper()
	token = strings.TrimSpace(b.kubectl(t, "", "-n", "default", "create", "token", "default", "--duration", "10m"))
	return fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: local\n  cluster:\n    server: https://10.96.0.1:443\n    "+
		"certificate-authority-data: %s\n"+
		"users:\n- name: plugin\n  user:\n    token: %s\n", base64.StdEncoding.EncodeToString(b.config.CAData), token), token
}

// hostReads runs a script on a host that reads a text.
func (b *bed) hostReads(t *testing.T, name, script, input string) {
	t.Helper()
	if _, err := command(t, hostLimit, input, "docker", "exec", "-i", name, "sh", "-c", script); err != nil {
		t.Fatal(err)
	}
}
