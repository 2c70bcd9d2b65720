// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// shop is the namespace of everything that these tests run in the cluster.
const shop = "lifecycle-shop"

// namespace makes sure that the shop's namespace is there, with the account
// that pods need.
func (b *bed) namespace(t *testing.T) {
	t.Helper()
	b.kubectl(t, fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, shop), "apply", "-f", "-")
	eventually(t, time.Minute, "the namespace has its account", func() (bool, string) {
		_, err := b.client.CoreV1().ServiceAccounts(shop).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil, fmt.Sprint(err)
	})
}

// barePod starts a pod of nobody on a node and waits until it runs.
func (b *bed) barePod(t *testing.T, name, node, more string) {
	t.Helper()
	b.kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s, labels: {app: %s}}
spec:
  nodeName: %s
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: %q, imagePullPolicy: Never, args: [netexec, --http-port=8080]}
%s`, name, shop, name, node, b.image, more), "apply", "-f", "-")
	b.kubectl(t, "", "-n", shop, "wait", "--for=condition=Ready", "--timeout=90s", "pod/"+name)
}

// deployWeb deploys three pods under a budget of two, all on one node. Their probe is
// patient: on a machine that is busy, a pod that is late is not one that a drain has ended.
func (b *bed) deployWeb(t *testing.T, node string) {
	t.Helper()
	b.namespace(t)
	b.kubectl(t, "", "-n", shop, "delete", "deployment/web", "--ignore-not-found", "--cascade=foreground")
	for _, other := range []string{b.worker, b.worker2, b.blank} {
		if other != node && b.node(t, other) != nil {
			b.kubectl(t, "", "cordon", other)
			defer b.kubectl(t, "", "uncordon", other)
		}
	}
	b.kubectl(t, fmt.Sprintf(`
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: %[1]s}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: %[1]s}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: web
        image: %[2]s
        imagePullPolicy: Never
        args: [netexec, --http-port=8080]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1, timeoutSeconds: 10, failureThreshold: 30}
`, shop, b.image), "apply", "-f", "-")
	b.kubectl(t, "", "-n", shop, "rollout", "status", "deployment/web", "--timeout=90s")
	if got := b.webOn(t, node); got != 3 {
		t.Fatalf("%d of the 3 pods are on %s", got, node)
	}
}

// webOn counts the app's pods on a node.
func (b *bed) webOn(t *testing.T, node string) int {
	t.Helper()
	pods, err := b.client.CoreV1().Pods(shop).List(t.Context(), metav1.ListOptions{
		LabelSelector: "app=web", FieldSelector: "spec.nodeName=" + node,
	})
	if err != nil {
		t.Fatal(err)
	}
	return len(pods.Items)
}

// stagePodNetwork: a pod on the joined host is reached from another node, by
// address and by name, and reaches others.
func (b *bed) stagePodNetwork(t *testing.T) {
	b.joined(t)
	b.crossNodes(t)
}

func (b *bed) crossNodes(t *testing.T) {
	t.Helper()
	b.namespace(t)
	b.barePod(t, "here", b.blank, "")
	b.barePod(t, "there", b.worker, "")
	b.kubectl(t, "", "-n", shop, "expose", "pod/here", "--port=80", "--target-port=8080")
	address := strings.TrimSpace(b.kubectl(t, "", "-n", shop, "get", "pod/here", "-o", "jsonpath={.status.podIP}"))
	back := strings.TrimSpace(b.kubectl(t, "", "-n", shop, "get", "pod/there", "-o", "jsonpath={.status.podIP}"))
	for _, way := range []struct{ from, to string }{
		{"there", address + ":8080"}, {"here", back + ":8080"}, {"there", "here." + shop + ".svc.cluster.local:80"},
	} {
		eventually(t, 30*time.Second, way.from+" reaches "+way.to, func() (bool, string) {
			_, err := b.tryKubectl(t, "", "-n", shop, "exec", way.from, "--", "/agnhost", "connect", "--timeout=2s", way.to)
			return err == nil, fmt.Sprint(err)
		})
	}
	b.kubectl(t, "", "-n", shop, "delete", "pod/here", "pod/there", "service/here", "--grace-period=1")
}
