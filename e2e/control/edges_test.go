// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubectl "k8s.io/kubectl/pkg/drain"
)

// The eight tests of this file each show an edge of kubectl drain (1.36) that
// cuts whoever trusts it, on the same objects for both. The first half of each
// states what kubectl does, so that it is seen when that changes.

func TestEdge1ACordonThatFailsStopsTheDrain(t *testing.T) { // kubernetes/kubectl#1568
	t.Parallel()
	p := newPlane(t, 2)
	p.run(t, app{name: "a", replicas: 4})
	p.apply(t, fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules:
- {apiGroups: [""], resources: [nodes, pods], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/eviction], verbs: [create]}
- {apiGroups: [apps], resources: [daemonsets, replicasets, statefulsets], verbs: [get, list, watch]}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, p.space))
	t.Cleanup(func() { p.theirs(t, "delete", "clusterrole/"+p.space, "clusterrolebinding/"+p.space) })
	o := p.theirs(t, "drain", p.nodes[0], "--as", p.space)
	if p.cordoned(t, p.nodes[0]) || !strings.Contains(o.all(), "evicting pod") {
		t.Errorf("kubectl evicts from a node that it may not cordon: %s", o.all())
	}
	p.settled(t, app{name: "a", replicas: 4})
	before := p.names(t, p.nodes[1])
	o = p.ours(t, "drain", p.nodes[1], "--as", p.space)
	if o.code != 4 || !strings.Contains(o.stderr, "the verb patch on nodes") || p.names(t, p.nodes[1]) != before {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}

func TestEdge2ARefusedDrainChangesNothing(t *testing.T) { // kubernetes/kubernetes#37592
	t.Parallel()
	p := newPlane(t, 2)
	for i, node := range p.nodes {
		p.apply(t, fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: naked-%d, namespace: %s},
spec: {nodeName: %s, containers: [{name: a, image: a}]}}`, i, p.space, node))
	}
	if o := p.theirs(t, "drain", p.nodes[0]); o.code == 0 || !p.cordoned(t, p.nodes[0]) {
		t.Errorf("kubectl refuses and leaves the node cordoned: %s", o.all())
	}
	if o := p.ours(t, "drain", p.nodes[1]); o.code != 4 || p.cordoned(t, p.nodes[1]) {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}

func TestEdge3ANewPodOfTheSameNameIsNotEvicted(t *testing.T) { // kubernetes/kubernetes#138229
	t.Parallel()
	for _, name := range []string{"kubectl", "ours"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t, 1)
			db := app{name: "db", kind: "StatefulSet", replicas: 1, budget: "minAvailable: 1"}
			p.run(t, db)
			old := p.pod(t, "db-0")
			p.addNodes(t, 1)
			c := p.start(t, map[string]string{"kubectl": p.kubectl, "ours": p.plugin}[name], p.kubeconfig, "drain", p.nodes[0])
			p.until(t, "the drain meets the budget", func(context.Context) (bool, error) {
				said := c.out.String() + c.err.String()
				return strings.Contains(said, "disruption budget") || strings.Contains(said, "PodDisruptionBudget"), nil
			})
			// Somebody else deletes the pod; its successor has its name, on another node.
			if err := p.client.CoreV1().Pods(p.space).Delete(t.Context(), "db-0", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			p.settled(t, db)
			moved := p.pod(t, "db-0")
			if moved == old {
				t.Fatal("the pod is the same")
			}
			if _, err := p.client.PolicyV1().PodDisruptionBudgets(p.space).Patch(t.Context(), "db", types.MergePatchType,
				[]byte(`{"spec":{"minAvailable":0}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			o := c.end(t)
			p.settled(t, app{name: "db", replicas: 1})
			evicted := p.pod(t, "db-0") != moved
			if name == "kubectl" && !evicted {
				t.Errorf("kubectl evicts the new pod on the other node: %s", o.all())
			}
			if name == "ours" && (evicted || o.code != 0) {
				t.Errorf("exit code %d, the new pod was evicted: %v\n%s", o.code, evicted, o.all())
			}
		})
	}
}

func TestEdge4PodsThatComeBackAreNamed(t *testing.T) { // projectcalico/calico#6136
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "typha", replicas: 2, extra: "tolerations: [{operator: Exists}]"})
	o := p.theirs(t, "drain", p.nodes[0])
	p.settled(t, app{name: "typha", replicas: 2})
	if o.code != 0 || !strings.Contains(o.stdout, "drained") || len(p.on(t, p.nodes[0])) != 2 {
		t.Errorf("kubectl calls a node drained whose pods are back: %s", o.all())
	}
	o = p.ours(t, "drain", p.nodes[0])
	if !strings.Contains(o.stderr, "was recreated on the cordoned node") || !strings.Contains(o.stderr, "tolerates every taint") {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}

func TestEdge5OneServerErrorIsNoEnd(t *testing.T) { // deckhouse/deckhouse#23007
	t.Parallel()
	p := newPlane(t, 2)
	p.run(t, app{name: "a", replicas: 6})
	for i, program := range []string{p.kubectl, p.plugin} {
		proxy := p.proxy(t)
		proxy.failNext("/eviction")
		o := p.start(t, program, proxy.kubeconfig, "drain", p.nodes[i]).end(t)
		if program == p.kubectl && o.code == 0 {
			t.Errorf("kubectl gives a pod up for one error: %s", o.all())
		}
		if program == p.plugin && (o.code != 0 || len(p.on(t, p.nodes[i])) > 0) {
			t.Errorf("exit code %d: %s", o.code, o.all())
		}
		p.theirs(t, "uncordon", p.nodes[i])
		p.settled(t, app{name: "a", replicas: 6})
	}
}

func TestEdge6WhatIsLeftIsNamedWithItsNamespace(t *testing.T) {
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "a", replicas: 1, budget: "minAvailable: 1"})
	pod := p.on(t, p.nodes[0])[0].Name
	if o := p.theirs(t, "drain", p.nodes[0], "--timeout", "2s"); o.code == 0 || !strings.Contains(o.all(), "\npod/"+pod+"\n") {
		t.Errorf("kubectl names the pods that are left without their namespace: %s", o.all())
	}
	o := p.ours(t, "drain", p.nodes[0], "--timeout", "2s")
	if o.code != 5 || !strings.Contains(o.stderr, p.space+"/"+pod) || !strings.Contains(o.stderr, "needs 1 healthy pod, has 1, 0 may go") {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}

func TestEdge7ABudgetThatRefusesIsNotHammered(t *testing.T) { // weaveworks/kured#82
	t.Parallel()
	p := newPlane(t, 1)
	p.run(t, app{name: "a", replicas: 1, budget: "minAvailable: 1"})
	while := p.refusedTwentyTimes(t)
	before := p.mark(t)
	p.ours(t, "drain", p.nodes[0], "--timeout", while.String())
	if _, refused := tally(p.requests(t, before, "kubectl-lifecycle")); refused[p.space] > 1 {
		t.Errorf("%d refusals in %s", refused[p.space], while)
	}
}

// refusedTwentyTimes drains with kubectl's library as others use it, whose pause
// defaults to none, until it was refused twenty times, and says how long that took,
// at least two seconds.
func (p *plane) refusedTwentyTimes(t *testing.T) time.Duration {
	t.Helper()
	const least, limit = 2 * time.Second, time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	helper := &kubectl.Helper{Ctx: ctx, Client: p.client, GracePeriodSeconds: -1, Timeout: limit, Out: &lockedBuffer{},
		ErrOut: &lockedBuffer{}}
	before, began, ended := p.mark(t), time.Now(), make(chan struct{})
	go func() {
		defer close(ended)
		_ = kubectl.RunNodeDrain(helper, p.nodes[0])
	}()
	look := time.NewTicker(100 * time.Millisecond) // the log tells nobody that it grows
	defer look.Stop()
	refusals := 0
	for refusals < 20 && ctx.Err() == nil {
		<-look.C
		_, refused := tally(p.requests(t, before, "e2e"))
		refusals = refused[p.space]
	}
	cancel()
	<-ended
	if refusals < 20 {
		t.Errorf("kubectl's library asks without a pause: %d refusals in %s", refusals, limit)
	}
	return max(time.Since(began), least)
}

func TestEdge8ADurationIsUnderstood(t *testing.T) { // k0sproject/k0sctl passes one
	t.Parallel()
	p := newPlane(t, 1)
	flag := "--skip-wait-for-delete-timeout=30s"
	if o := p.theirs(t, "drain", p.nodes[0], flag); o.code == 0 {
		t.Errorf("kubectl takes seconds only: %s", o.all())
	}
	if o := p.ours(t, "drain", p.nodes[0], flag); o.code != 0 {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
	if o := p.ours(t, "drain", p.nodes[0], "--skip-wait-for-delete-timeout=30"); o.code != 0 {
		t.Errorf("exit code %d: %s", o.code, o.all())
	}
}

// names are those of the pods on a node.
func (p *plane) names(t *testing.T, node string) string {
	t.Helper()
	var out []string
	for _, pod := range p.on(t, node) {
		out = append(out, pod.Name)
	}
	return strings.Join(out, " ")
}

// pod is the UID of a pod.
func (p *plane) pod(t *testing.T, name string) types.UID {
	t.Helper()
	got, err := p.client.CoreV1().Pods(p.space).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.UID
}
