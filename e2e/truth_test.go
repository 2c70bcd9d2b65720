// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// holding is a finalizer whose controller there is none of.
const holding = "e2e.example.com/hold"

// stageFinalizers: a Node and a pod that finalizers hold are not called removed; what
// holds them is named, and once it lets go the same command finishes at once.
func (b *bed) stageFinalizers(t *testing.T) {
	b.joined(t)
	pod := b.heldPod(t)
	node := func(value string) {
		b.kubectl(t, "", "patch", "node", b.blank, "--type=merge", "-p", fmt.Sprintf(`{"metadata":{"finalizers":%s}}`, value))
	}
	node(fmt.Sprintf("[%q]", holding))
	b.unchanged(t, b.blank, func() { b.run(t, 0, "remove", b.blank, "--dry-run").says(t, holding) })

	o := b.run(t, 5, "remove", b.blank, "--yes", "--timeout", "30s")
	o.says(t, "node/"+b.blank+" is being deleted; waiting for finalizer "+holding, "--show-managed-fields", "finishes at once")
	if o.stdout != "" || b.node(t, b.blank) == nil || !b.recorded(t, b.blank) {
		t.Errorf("a Node that is there was called removed, or its record is gone: %q", o.stdout)
	}
	b.run(t, 5, "remove", b.blank, "--yes", "--timeout", "4s").says(t, holding)

	node("null")
	eventually(t, 10*time.Second, "the Node is gone", func() (bool, string) { return b.node(t, b.blank) == nil, "there" })
	o = b.run(t, 3, "remove", b.blank, "--yes")
	o.says(t, pod, "DaemonSet/held", "finalizer "+holding)
	if !strings.Contains(o.stdout, "node/"+b.blank+" removed") || !b.recorded(t, b.blank) {
		t.Errorf("stdout %q; the record is there: %v", o.stdout, b.recorded(t, b.blank))
	}

	b.kubectl(t, "", "-n", shop, "patch", "pod", pod, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	o = b.must(t, "remove", b.blank, "--yes")
	b.took("remove, when a finalizer has let go", o.took)
	if !strings.Contains(o.stdout, "node/"+b.blank+" removed") || o.took > 10*time.Second || b.recorded(t, b.blank) {
		t.Errorf("stdout %q after %s; the record is there: %v", o.stdout, o.took, b.recorded(t, b.blank))
	}
	b.kubectl(t, "", "-n", shop, "delete", "daemonset/held")
	b.isPristine(t, b.blank, b.pristine)
}

// heldPod runs a DaemonSet on the host whose pods have a finalizer, and names its pod.
func (b *bed) heldPod(t *testing.T) string {
	t.Helper()
	b.namespace(t)
	b.kubectl(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: held, namespace: %s}
spec:
  selector: {matchLabels: {app: held}}
  template:
    metadata: {labels: {app: held}, finalizers: [%s]}
    spec:
      nodeSelector: {kubernetes.io/hostname: %s}
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: %q, imagePullPolicy: Never, args: [pause]}]
`, shop, holding, b.blank, b.image), "apply", "-f", "-")
	b.kubectl(t, "", "-n", shop, "rollout", "status", "daemonset/held", "--timeout=60s")
	pods, err := b.client.CoreV1().Pods(shop).List(t.Context(), metav1.ListOptions{LabelSelector: "app=held"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	return pods.Items[0].Name
}

// recorded says whether a run's record of a node is there.
func (b *bed) recorded(t *testing.T, node string) bool {
	t.Helper()
	name := b.kubectl(t, "", "-n", runner.DefaultNamespace, "get", "secret", runner.NameFor(node), "--ignore-not-found", "-o", "name")
	return name != ""
}
