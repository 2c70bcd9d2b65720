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
