// SPDX-License-Identifier: Apache-2.0

//go:build e2e && bench

package e2e

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	kubectl "k8s.io/kubectl/pkg/drain"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/e2e/peer"
)

// race is a node that is drained again and again, by one after the other.
type race struct {
	*bed
	kubeconfig string
	counter    *peer.Counter
	counted    *kubernetes.Clientset
	drained    string
}

// newRace makes the node the only one that pods of the shop can be brought to
// first, and lets all contenders speak to the API server through a counter.
func newRace(t *testing.T) *race {
	t.Helper()
	b := newBed(t)
	b.ears = listen(t, b.client)
	b.forgetFixtures(t)
	b.withNetwork(t)
	r := &race{bed: b, drained: b.worker, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	var err error
	if r.counter, err = peer.Count(b.config, r.kubeconfig); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.counter.Close)
	config, err := clientcmd.BuildConfigFromFlags("", r.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	if r.counted, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return r
}

// contenders are ways to drain the node, by name, ours last.
func (r *race) contenders(t *testing.T) (names []string, drain map[string]func() error) {
	t.Helper()
	program := func(path string) func() error {
		return func() error {
			_, err := command(t, commandLimit, "", path, "--kubeconfig", r.kubeconfig, "drain", r.drained, "--ignore-daemonsets", "--grace-period=1")
			return err
		}
	}
	return []string{"kubectl drain", "kubectl's library, no throttling", "evict and watch, nothing else (the floor)",
			"kubectl lifecycle drain"}, map[string]func() error{
			"kubectl drain": program(r.kubectlPath),
			"kubectl's library, no throttling": func() error {
				helper := &kubectl.Helper{Ctx: t.Context(), Client: r.counted, GracePeriodSeconds: 1, IgnoreAllDaemonSets: true, Out: io.Discard,
					ErrOut: io.Discard, EvictErrorRetryDelay: 5 * time.Second}
				return kubectl.RunNodeDrain(helper, r.drained)
			},
			"evict and watch, nothing else (the floor)": func() error { return peer.Floor(t.Context(), r.counted, shop, r.drained) },
			"kubectl lifecycle drain":                   program(r.plugin),
		}
}

// run has every contender drain the same pods from the node, by turns.
func (r *race) run(t *testing.T, title, manifest string, pods int) {
	t.Helper()
	names, drain := r.contenders(t)
	var report peer.Report
	for range peer.Runs() {
		for _, name := range names {
			if !peer.Wanted(name) {
				continue
			}
			r.settle(t, manifest, pods)
			r.counter.Take()
			began := time.Now()
			if err := drain[name](); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			took := time.Since(began)
			requests, refused := r.counter.Take()
			report.Add(name, took, requests, refused)
		}
	}
	fmt.Print(report.Text(title))
}

// settle brings all pods to the node, and gives them another one to go to.
func (r *race) settle(t *testing.T, manifest string, pods int) {
	t.Helper()
	r.kubectl(t, "", "delete", "namespace", shop, "--ignore-not-found", "--wait=true")
	r.namespace(t)
	r.kubectl(t, "", "uncordon", r.drained)
	for _, other := range []string{r.worker2, r.blank} {
		if r.node(t, other) != nil {
			r.kubectl(t, "", "cordon", other)
		}
	}
	r.kubectl(t, manifest, "apply", "-f", "-")
	eventually(t, 4*time.Minute, "all pods are Ready on the node", func() (bool, string) {
		list, err := r.client.CoreV1().Pods(shop).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + r.drained})
		ready := 0
		for i := range list.Items {
			if serves(&list.Items[i]) {
				ready++
			}
		}
		return ready == pods, fmt.Sprint(ready, err)
	})
	r.kubectl(t, "", "uncordon", r.worker2)
	r.kubectl(t, "", "cordon", r.drained)
}

func (r *race) manifest(replicas int, budget string) string {
	text := fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: bench, namespace: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: bench}}
  template:
    metadata: {labels: {app: bench}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: %[3]q, imagePullPolicy: Never, args: [pause]}
`, shop, replicas, r.image)
	if budget != "" {
		text += fmt.Sprintf("---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: bench, namespace: %s}\nspec: {%s, "+
			"selector: {matchLabels: {app: bench}}}\n", shop, budget)
	}
	return text
}

func TestBenchNinetyPodsOfARealNode(t *testing.T) {
	r := newRace(t)
	r.run(t, "90 pods, grace 1 s, a real kubelet", strings.TrimSpace(r.manifest(90, "")), 90)
}

func TestBenchTenPodsOfARealNodeUnderOneBudget(t *testing.T) {
	r := newRace(t)
	r.run(t, "10 pods under a budget of one, a real kubelet", strings.TrimSpace(r.manifest(10, "maxUnavailable: 1")), 10)
}
