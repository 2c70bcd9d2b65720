// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// app is a workload with a budget.
type app struct {
	name     string
	kind     string // Deployment (default) or StatefulSet
	replicas int
	// budget is the rule of its PodDisruptionBudget ("minAvailable: 2"); empty
	// for none.
	budget string
	// floor is how many of its pods the budget demands; for benchmarks.
	floor int
	// stop and ready are how long a pod takes for that.
	stop, ready string
	// extra is more of the pod's spec, as a YAML flow mapping's inside.
	extra string
}

// run creates the workload on the test's nodes and waits until all is Ready and
// the budget knows.
func (p *plane) run(t *testing.T, apps ...app) {
	t.Helper()
	var all []string
	for _, a := range apps {
		all = append(all, p.manifest(a))
	}
	p.apply(t, strings.Join(all, "---\n"))
	for _, a := range apps {
		p.settled(t, a)
	}
}

func (p *plane) manifest(a app) string {
	if a.kind == "" {
		a.kind = "Deployment"
	}
	if a.extra != "" {
		a.extra = ", " + a.extra
	}
	text := fmt.Sprintf(`apiVersion: apps/v1
kind: %s
metadata: {name: %[2]s, namespace: %[3]s}
spec:
  replicas: %[4]d
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}, annotations: {lifecycle.test/stop-after: %[5]q, lifecycle.test/ready-after: %[6]q}}
    spec: {nodeSelector: {test: %[3]s}, containers: [{name: a, image: a}]%[7]s}
`, a.kind, a.name, p.space, a.replicas, orZero(a.stop), orZero(a.ready), a.extra)
	if a.budget != "" {
		text += fmt.Sprintf(`---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: %[1]s, namespace: %[2]s}
spec: {%[3]s, selector: {matchLabels: {app: %[1]s}}}
`, a.name, p.space, a.budget)
	}
	return text
}

func orZero(s string) string {
	if s == "" {
		return "0s"
	}
	return s
}

// settled waits until a workload's pods are Ready and its budget counts them.
func (p *plane) settled(t *testing.T, a app) {
	t.Helper()
	p.until(t, a.name+" is settled", func(ctx context.Context) (bool, error) {
		pods, err := p.client.CoreV1().Pods(p.space).List(ctx, metav1.ListOptions{LabelSelector: "app=" + a.name})
		if err != nil {
			return false, err
		}
		healthy := 0
		for i := range pods.Items {
			if isReady(&pods.Items[i]) {
				healthy++
			}
		}
		if healthy != a.replicas || len(pods.Items) != a.replicas || a.budget == "" {
			return healthy == a.replicas && len(pods.Items) == a.replicas, nil
		}
		pdb, err := p.client.PolicyV1().PodDisruptionBudgets(p.space).Get(ctx, a.name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return int(pdb.Status.CurrentHealthy) == a.replicas && int(pdb.Status.ExpectedPods) == a.replicas &&
			pdb.Status.ObservedGeneration == pdb.Generation, nil
	})
}

// isReady is what the disruption controller counts.
func isReady(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// on are the test's pods on a node, by name.
func (p *plane) on(t *testing.T, node string) []corev1.Pod {
	t.Helper()
	list, err := p.client.CoreV1().Pods(p.space).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// cordoned reports whether a node is.
func (p *plane) cordoned(t *testing.T, node string) bool {
	t.Helper()
	got, err := p.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.Spec.Unschedulable
}

// floors watch how many pods of each app are Ready, and keep the lowest number.
type floors struct {
	mu     sync.Mutex
	ready  map[string]map[string]bool
	lowest map[string]int
	stop   func()
	done   chan struct{}
}

// watchFloors begins with what is there and counts every change, none left out.
func (p *plane) watchFloors(t *testing.T) *floors {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	f := &floors{ready: map[string]map[string]bool{}, lowest: map[string]int{}, stop: cancel, done: make(chan struct{})}
	t.Cleanup(cancel)
	list, err := p.client.CoreV1().Pods(p.space).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		f.see(&list.Items[i], false)
	}
	for name, pods := range f.ready {
		f.lowest[name] = len(pods)
	}
	go func() {
		defer close(f.done)
		version := list.ResourceVersion
		for ctx.Err() == nil {
			w, err := p.client.CoreV1().Pods(p.space).Watch(ctx, metav1.ListOptions{ResourceVersion: version})
			if err != nil {
				continue // an API server that is being started again
			}
			for event := range w.ResultChan() {
				if pod, ok := event.Object.(*corev1.Pod); ok {
					version = pod.ResourceVersion
					f.see(pod, event.Type == watch.Deleted)
				}
			}
		}
	}()
	return f
}

func (f *floors) see(pod *corev1.Pod, gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := labels.Set(pod.Labels).Get("app")
	if f.ready[name] == nil {
		f.ready[name] = map[string]bool{}
	}
	if isReady(pod) && !gone {
		f.ready[name][string(pod.UID)] = true
	} else {
		delete(f.ready[name], string(pod.UID))
	}
	if now, known := len(f.ready[name]), f.lowest[name]; now < known {
		f.lowest[name] = now
	}
}

// held fails the test if fewer pods than a floor were ever Ready.
func (f *floors) held(t *testing.T, floors map[string]int) {
	t.Helper()
	f.stop()
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, floor := range floors {
		if f.lowest[name] < floor {
			t.Errorf("%s had %d Ready pods at one time, its budget demands %d", name, f.lowest[name], floor)
		}
	}
}
