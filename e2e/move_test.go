// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// stageSecond: a worker moves to another cluster and back, and a second control
// plane comes and goes there.
func (b *bed) stageSecond(t *testing.T) {
	b.joined(t)
	other := b.anotherCluster(t)
	t.Run("a worker moves to another cluster and back", func(t *testing.T) { b.movesAndBack(t, other) })
	t.Run("a move that cannot be is refused", func(t *testing.T) { b.refusesMoves(t, other) })
	t.Run("a host that cannot join is clean", func(t *testing.T) { b.cannotJoin(t, other) })
	b.must(t, "remove", b.blank, "--yes", "--force")
	t.Run("a control plane leaves its cluster", func(t *testing.T) { other.controlPlaneLeaves(t) })
}

// movesAndBack: pods run on the host each time, and nothing of it is left in the
// cluster that it has left.
func (b *bed) movesAndBack(t *testing.T, other *bed) {
	t.Helper()
	b.deployWeb(t, b.blank)
	home := b.homeContext(t)
	before, beforeThere := b.names(t, b.blank), other.names(t, b.blank)
	fewest := b.watchReady(t, shop, "app=web")
	o := other.must(t, "move", b.blank, "--context", home, "--to-context", second, "--yes", "--timeout", "6m")
	b.took("move of a worker to another cluster", o.took)
	least, changes := fewest()
	b.budgetHeld(t, least, changes)
	if !strings.Contains(o.stdout, "moved to "+second) {
		t.Errorf("stdout %q", o.stdout)
	}
	b.isGone(t, before)
	other.runsPods(t)
	other.noTokens(t)
	for _, name := range beforeThere.changed(other.names(t, b.blank)) {
		if !strings.Contains(name, shop) { // what runsPods has made
			t.Errorf("the move has left %s in the other cluster", name)
		}
	}
	again := other.must(t, "move", b.blank, "--context", home, "--to-context", second, "--yes")
	if !strings.Contains(again.stdout, "moved to "+second) {
		t.Errorf("the second time: stdout %q", again.stdout)
	}
	o = other.must(t, "move", b.blank, "--to-context", home, "--yes", "--force", "--timeout", "6m", "-o", "json")
	b.took("move back", o.took)
	if !strings.Contains(o.stdout, `"state": "clean"`) {
		t.Errorf("stdout %q", o.stdout)
	}
	if other.node(t, b.blank) != nil {
		t.Error("the node is still in the other cluster")
	}
	b.noTokens(t)
	b.crossNodes(t)
}

// homeContext is the name of the bed's own context.
func (b *bed) homeContext(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return config.CurrentContext
}

// runsPods: the host is a node that runs a pod whose network works.
func (b *bed) runsPods(t *testing.T) {
	t.Helper()
	if !isReady(b.node(t, b.blank)) {
		t.Fatalf("node %s is not Ready", b.blank)
	}
	b.crossNodes(t)
}

// noTokens: no bootstrap token of a move is left.
func (b *bed) noTokens(t *testing.T) {
	t.Helper()
	list, err := b.client.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{LabelSelector: "lifecycle.kubectl.io/join"})
	if err != nil || len(list.Items) > 0 {
		t.Errorf("%d tokens are left (%v)", len(list.Items), err)
	}
}

// cannotJoin: a host whose kubeadm fails has left its cluster, is clean, and the
// command that is printed joins it once the cause is gone.
func (b *bed) cannotJoin(t *testing.T, other *bed) {
	t.Helper()
	home := b.homeContext(t)
	b.joined(t)
	const broken = "/usr/local/sbin/kubeadm"
	b.host(t, b.blank, "cat >"+broken+` <<'E'
#!/bin/sh
case $1 in join) mkdir -p /etc/kubernetes/pki; touch /etc/kubernetes/pki/ca.crt; echo "error: e2e says no" >&2; exit 1;; esac
exec /usr/bin/kubeadm "$@"
E
chmod 755 `+broken)
	o := other.run(t, 1, "move", b.blank, "--context", home, "--to-context", second, "--yes", "--force", "--timeout", "6m")
	b.host(t, b.blank, "rm "+broken)
	o.says(t, "has left its cluster and is clean, but could not join "+second, "e2e says no")
	b.isPristine(t, b.blank, b.pristine)
	if b.node(t, b.blank) != nil || other.node(t, b.blank) != nil {
		t.Error("the node is still there")
	}
	line := regexp.MustCompile(`kubeadm join \S+:6443 --token .*`).FindString(o.stderr)
	if line == "" {
		t.Fatal("no command is printed to go on with")
	}
	b.host(t, b.blank, line)
	again := other.must(t, "move", b.blank, "--context", home, "--to-context", second, "--yes", "--timeout", "3m")
	if !strings.Contains(again.stdout, "moved to "+second) {
		t.Errorf("stdout %q", again.stdout)
	}
	other.noTokens(t)
	other.must(t, "move", b.blank, "--to-context", home, "--yes", "--force", "--timeout", "6m")
}

// refusesMoves: each is refused before anything has changed, what only the host
// knows included.
func (b *bed) refusesMoves(t *testing.T, other *bed) {
	t.Helper()
	home := b.homeContext(t)
	move := func(more ...string) []string {
		return append([]string{"move", b.blank, "--context", home, "--yes"}, more...)
	}
	both := []string{"KUBECONFIG=" + other.kubeconfig}
	b.refuses(t, b.blank,
		refusal{"to nowhere", move(), 2, []string{"--to-context"}, both},
		refusal{"to a context that is not there", move("--to-context", "nowhere"), 4, []string{"nowhere", "get-contexts"}, both},
		refusal{"to the same cluster", move("--to-context", home), 4, []string{"is the cluster that node"}, both},
		refusal{"of a control plane", []string{"move", b.controlPlane, "--context", home, "--to-context", second, "--yes"}, 4,
			[]string{"control-plane node"}, both})
	other.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Node","metadata":{"name":%q}}`, b.blank), "create", "-f", "-")
	b.refuses(t, b.blank, refusal{"where the name is taken", move("--to-context", second), 4,
		[]string{"has a node " + b.blank + " already"}, both})
	other.kubectl(t, "", "delete", "node", b.blank)
	b.host(t, b.blank, `nft add table inet e2e; nft 'add chain inet e2e out { type filter hook output priority 0; }'
for a in $(getent ahosts `+other.controlPlane+` | cut -d' ' -f1 | sort -u); do case $a in *:*) f=ip6;; *) f=ip;; esac
  nft add rule inet e2e out $f daddr $a tcp dport 6443 reject; done`)
	defer b.host(t, b.blank, "nft delete table inet e2e")
	b.refuses(t, b.blank, refusal{"where the host does not reach it", move("--to-context", second), 4,
		[]string{"from this host, the API server at", "does not answer", "open the way"}, both})
	b.refuses(t, b.blank, refusal{"where the host does not reach it, in a dry run", move("--to-context", second, "--dry-run=server"), 4,
		[]string{"from this host, the API server at", "does not answer"}, both})
	other.noTokens(t)
}
