// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// draw makes ReplicaSets, pods in all states, and budgets of all kinds, most of
// them close to what there is.
func (o *oracle) draw(t *testing.T, nodes string) {
	t.Helper()
	var text strings.Builder
	total := 0
	for i := range 1 + o.rand.IntN(2) {
		name := fmt.Sprint("app", i)
		o.sets[name] = 1 + o.rand.IntN(5)
		total += o.sets[name]
		fmt.Fprintf(&text, `apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s, all: "yes"}, annotations: {lifecycle.test/ready-after: 1h, lifecycle.test/stop-after: 0s}}
    spec: {nodeSelector: {test: %[4]s}, terminationGracePeriodSeconds: 0, containers: [{name: a, image: a}]}
---
`, name, o.space, o.sets[name], nodes)
	}
	o.apply(t, text.String())
	o.complete(t)
	healthy := map[string]int{}
	for _, pod := range o.pods(t) {
		if o.rand.IntN(8) == 0 {
			continue // it stays Pending
		}
		ready := o.rand.IntN(4) > 0
		o.becomes(t, &pod, ready)
		if ready {
			healthy[pod.Labels["app"]]++
		}
	}
	o.apply(t, o.drawBudgets(healthy, total))
	o.counted(t)
}

// drawBudgets is a manifest of one or two budgets.
func (o *oracle) drawBudgets(healthy map[string]int, total int) string {
	var text strings.Builder
	for i := range 1 + o.rand.IntN(5)/4 {
		selector, all, fit := "{matchLabels: {app: app0}}", o.sets["app0"], healthy["app0"]
		if o.rand.IntN(3) == 0 {
			selector, all, fit = []string{`{matchLabels: {all: "yes"}}`, "{}"}[o.rand.IntN(2)], total, healthy["app0"]+healthy["app1"]
		}
		near := o.rand.IntN(3) - 1
		rule := []string{
			fmt.Sprintf("minAvailable: %d", max(fit+near, 0)), fmt.Sprintf("maxUnavailable: %d", max(all-fit+near, 0)),
			fmt.Sprintf("minAvailable: %d0%%", o.rand.IntN(11)), fmt.Sprintf("maxUnavailable: %d0%%", o.rand.IntN(11)),
		}[min(o.rand.IntN(6)/2+o.rand.IntN(2), 3)]
		policy := []string{"", ", unhealthyPodEvictionPolicy: IfHealthyBudget", ", unhealthyPodEvictionPolicy: AlwaysAllow"}[o.rand.IntN(3)]
		fmt.Fprintf(&text, "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: budget%d, namespace: %s}\nspec: {%s, selector: "+
			"%s%s}\n---\n", i, o.space, rule, selector, policy)
	}
	return text.String()
}

// complete waits until every ReplicaSet has its pods, all of them on a node.
func (o *oracle) complete(t *testing.T) {
	t.Helper()
	o.until(t, "there are all pods", func(context.Context) (bool, error) {
		have := map[string]int{}
		for _, pod := range o.pods(t) {
			if pod.DeletionTimestamp == nil && pod.Spec.NodeName != "" {
				have[pod.Labels["app"]]++
			}
		}
		for name, n := range o.sets {
			if have[name] != n {
				return false, nil
			}
		}
		return true, nil
	})
}

func (o *oracle) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := o.client.CoreV1().Pods(o.space).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// becomes makes a pod run, Ready or not.
func (o *oracle) becomes(t *testing.T, pod *corev1.Pod, ready bool) {
	t.Helper()
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	patch, err := json.Marshal(map[string]any{"status": corev1.PodStatus{
		Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.client.CoreV1().Pods(o.space).Patch(t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{},
		"status"); err != nil {
		t.Fatal(err)
	}
}
