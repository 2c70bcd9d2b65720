// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (b *bed) cniInstall(more ...string) []string {
	return append([]string{"cni", "install", "flannel", "--chart", b.chart}, more...)
}

// stageNetwork: dry runs change nothing, the installation is over when the
// network works, and the second one has nothing to do.
func (b *bed) stageNetwork(t *testing.T) {
	for _, mode := range []string{"client", "server"} {
		b.unchanged(t, "", func() {
			o := b.run(t, 0, b.cniInstall("--dry-run="+mode)...)
			if !strings.Contains(o.stdout, "would be") && !strings.Contains(o.stdout, "nothing to do") {
				t.Errorf("stdout does not say that it is a dry run: %q", o.stdout)
			}
		})
	}
	before := b.names(t, "")
	o := b.must(t, b.cniInstall()...)
	b.took("cni install flannel, until it works", o.took)
	b.networkWorks(t)
	for _, name := range before.changed(b.names(t, "")) {
		if !strings.Contains(name, "flannel") && !strings.Contains(name, "ReplicaSet coredns") {
			t.Errorf("cni install left %s", name)
		}
	}
	b.unchanged(t, b.worker, func() {
		o := b.run(t, 0, b.cniInstall()...)
		if !strings.Contains(o.stdout, "nothing to do") {
			t.Errorf("the second installation does not say that there is nothing to do: %q", o.stdout)
		}
	})
	// Packets arrive, and nothing that sent them is left.
	b.unchanged(t, "", func() {
		o := b.run(t, 0, "cni", "test", "-o", "json")
		if strings.Contains(o.stdout, `"outcome": "fails"`) || strings.Count(o.stdout, `"stream": "works"`) < 2 {
			t.Errorf("not all packets arrive: %s", o.stdout)
		}
	})
	// An uninstallation is shown with every object of the release, and does not happen.
	b.unchanged(t, "", func() {
		o := b.run(t, 0, "cni", "uninstall", "--dry-run", "--with-pods", "-o", "json")
		for _, want := range []string{`"kube-flannel-ds"`, `"sh.helm.release.v1.flannel.v1"`, "10-flannel.conflist", "nothing was changed"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("no %s in what would be uninstalled: %s", want, o.stdout)
			}
		}
	})
}

// stageNetworkLeaves: an uninstallation with --clean-nodes takes what flannel has left off
// hosts that stay nodes, and nothing of kube-proxy's, the kubelet's or a person's; then it is
// installed again, with another backend. CoreDNS keeps nothing from going on, and comes back
// with the network.
func (b *bed) stageNetworkLeaves(t *testing.T) {
	b.withNetwork(t)
	nodes := []string{b.controlPlane, b.worker, b.worker2}
	// A person's bridge, of all places in the pods' range, with a route and a rule.
	const persons = `ip -br addr show e2e-own | grep -o '10.*'; ip route show dev e2e-own; iptables -S FORWARD | grep e2e-own`
	b.host(t, b.worker, `ip link add e2e-own type bridge && ip addr add 10.244.250.1/24 dev e2e-own && ip link set e2e-own up &&
		ip route add 10.244.251.0/24 dev e2e-own && iptables -A FORWARD -s 10.244.250.0/24 -m comment --comment e2e-own -j ACCEPT`)
	defer b.host(t, b.worker, `iptables -D FORWARD -s 10.244.250.0/24 -m comment --comment e2e-own -j ACCEPT; ip link del e2e-own`)
	own := b.host(t, b.worker, persons)
	// Those of the API server's Service, which has endpoints all along, and of the kubelet.
	const services = `nft list ruleset 2>/dev/null |
		grep -oE 'chain KUBE-(SVC-NPX46M4PTMTKRN6Y|MARK-MASQ|POSTROUTING|KUBELET-CANARY)' | sort -u`
	before := map[string]string{}
	for _, node := range nodes {
		if before[node] = b.host(t, node, services); before[node] == "" {
			t.Fatalf("kube-proxy has no rules on %s", node)
		}
	}
	b.unchanged(t, "", func() {
		b.run(t, 2, "cni", "uninstall", "flannel", "--clean-nodes").says(t, "--yes")
	})
	o := b.must(t, "cni", "uninstall", "flannel", "--clean-nodes", "--yes", "-o", "json")
	b.took("cni uninstall flannel --clean-nodes", o.took)
	if strings.Count(o.stdout, `"state": "cleaned"`) != len(nodes) {
		t.Errorf("not all hosts were cleaned: %s", o.stdout)
	}
	for _, node := range nodes {
		left := b.host(t, node, `test -d /etc/cni/net.d; ls -A /etc/cni/net.d; ip -o link | grep -E 'flannel|cni0' || true
			ip route | grep '^10\.244\.' | grep -v e2e-own || true; nft list ruleset 2>/dev/null | grep -i flannel || true
			ls -d /run/flannel /var/lib/cni/flannel /var/lib/cni/networks/cbr0 /opt/cni/bin/flannel 2>/dev/null || true
			ls -d /var/lib/kubectl-lifecycle 2>/dev/null || true
			systemctl is-active kubelet containerd | grep -v '^active$' || true`)
		if left != "" {
			t.Errorf("on %s is left, or does not run: %s", node, left)
		}
		if now := b.host(t, node, services); now != before[node] {
			t.Errorf("kube-proxy's rules on %s were\n%s\nand are\n%s", node, before[node], now)
		}
	}
	if now := b.host(t, b.worker, persons); now != own {
		t.Errorf("a person's bridge was\n%s\nand is\n%s", own, now)
	}
	again := b.must(t, "cni", "uninstall", "flannel", "--clean-nodes", "--yes")
	if strings.Count(again.stdout, "nothing to do") != len(nodes) {
		t.Errorf("the second command does not say that there is nothing to do: %s", again.stdout)
	}
	b.must(t, b.cniInstall("--set=flannel.backend=host-gw")...)
	b.networkWorks(t)
}

// networkWorks checks, at the very moment that the command has ended, what it
// promises.
func (b *bed) networkWorks(t *testing.T) {
	t.Helper()
	nodes, err := b.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes.Items {
		if !isReady(&n) {
			t.Errorf("node %s is not Ready after the installation", n.Name)
		}
	}
	agents, err := b.client.AppsV1().DaemonSets(metav1.NamespaceAll).List(t.Context(), metav1.ListOptions{LabelSelector: "app=flannel"})
	if err != nil || len(agents.Items) != 1 {
		t.Fatalf("%d flannel DaemonSets, error %v", len(agents.Items), err)
	}
	if s := agents.Items[0].Status; int(s.NumberReady) != len(nodes.Items) {
		t.Errorf("%d of %d agents are ready", s.NumberReady, len(nodes.Items))
	}
	dns, err := b.client.AppsV1().Deployments(metav1.NamespaceSystem).Get(t.Context(), "coredns", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if dns.Status.AvailableReplicas < *dns.Spec.Replicas {
		t.Errorf("CoreDNS: %d of %d available", dns.Status.AvailableReplicas, *dns.Spec.Replicas)
	}
	ns, err := b.client.CoreV1().Namespaces().Get(t.Context(), agents.Items[0].Namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := ns.Labels["pod-security.kubernetes.io/enforce"]; got != "privileged" {
		t.Errorf("namespace %s: pod-security level %q, want privileged", ns.Name, got)
	}
}

// withNetwork makes sure that the cluster has its network.
func (b *bed) withNetwork(t *testing.T) {
	t.Helper()
	if !isReady(b.node(t, b.worker)) || !isReady(b.node(t, b.worker2)) {
		b.must(t, b.cniInstall()...)
	}
}

// stageInspectNotReady: where there is no network and no registry the runner
// reads the host all the same, and leaves nothing.
func (b *bed) stageInspectNotReady(t *testing.T) {
	if isReady(b.node(t, b.worker)) {
		t.Skip("this bed has a network already")
	}
	b.unchanged(t, b.worker, func() {
		o := b.run(t, 0, "inspect", b.worker)
		for _, want := range []string{"kubelet.service", "KUBE-", "/etc/kubernetes/kubelet.conf", "sandbox"} {
			if !strings.Contains(o.stdout, want) {
				t.Errorf("the inventory of a node without a network does not name %s", want)
			}
		}
	})
}
