// SPDX-License-Identifier: Apache-2.0

package netclean

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func node(name string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}}}
}

// hosts are what hosts answer, by node.
type hosts map[string]inventory.NetworkAnswer

func (h hosts) ask(_ context.Context, n *corev1.Node, _ json.RawMessage) (json.RawMessage, error) {
	answer, is := h[n.Name]
	if !is {
		return nil, plan.Refuse(errors.New("an agent of flannel runs on this host"), "uninstall it first")
	}
	return json.Marshal(answer)
}

func TestOneTableSaysWhatBecameOfEachHost(t *testing.T) {
	thing := []inventory.Item{{Kind: inventory.KindLink, Name: "flannel.1", Owner: inventory.Flannel, Fate: inventory.Goes}}
	answers := hosts{
		"a": {Objects: thing, Verdict: inventory.Verdict{State: inventory.Clean}},
		"b": {Objects: thing, Verdict: inventory.Verdict{State: inventory.Dirty, Remaining: thing}},
		"d": {Verdict: inventory.Verdict{State: inventory.Clean}},
		"f": {Objects: thing, Verdict: inventory.Verdict{State: inventory.CleanBut}},
		"g": {Objects: thing}, // no verdict at all
	}
	var told []string
	c := Cleaning{Network: "flannel", AtOnce: 2, ask: answers.ask, Cleaned: func(name string) { told = append(told, name) },
		Nodes: []*corev1.Node{node("f", corev1.ConditionTrue), node("e", corev1.ConditionFalse), node("d", corev1.ConditionTrue),
			node("c", corev1.ConditionUnknown), node("b", corev1.ConditionTrue), node("a", corev1.ConditionFalse),
			node("g", corev1.ConditionTrue)}}
	var got []string
	for _, r := range c.each(t.Context(), func(string, ...any) {}) {
		got = append(got, r.Node+" "+string(r.State))
		if r.Left() != slices.Contains([]string{"b", "c", "e", "g"}, r.Node) || (r.Error != "") != r.Left() {
			t.Errorf("%+v", r)
		}
		if r.Node == "b" && !strings.Contains(r.Error, "link flannel.1") {
			t.Errorf("it does not say what is left: %s", r.Error)
		}
	}
	want := []string{"a cleaned", "b failed", "c does not answer", "d nothing to do", "e failed", "f cleaned", "g failed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"a", "d", "f"}) {
		t.Errorf("noted as clean: %v", told)
	}
}

func TestADryRunCleansNothing(t *testing.T) {
	thing := []inventory.Item{{Kind: inventory.KindLink, Name: "flannel.1"}}
	c := Cleaning{Network: "flannel", DryRun: true, AtOnce: 1, ask: hosts{"a": {Objects: thing}, "b": {}}.ask,
		Cleaned: func(name string) { t.Errorf("%s is noted as clean", name) },
		Nodes:   []*corev1.Node{node("a", corev1.ConditionTrue), node("b", corev1.ConditionTrue)}}
	got := c.each(t.Context(), func(string, ...any) {})
	if got[0].State != Looked || got[1].State != Nothing {
		t.Errorf("got %+v", got)
	}
	raw, err := c.orderFor(inventory.Facts{Node: "a"})
	var order inventory.NetworkOrder
	if err != nil || json.Unmarshal(raw, &order) != nil || !order.DryRun || order.WithPods || order.Owner != inventory.Flannel ||
		order.Node != "a" {
		t.Errorf("order %s, %v", raw, err)
	}
}

func TestADryRunFailsOnAHostThatCouldNotBeRead(t *testing.T) {
	unread := inventory.Verdict{Unchecked: []inventory.Unchecked{{Kind: inventory.KindLink, What: "packet filter", Why: "no permission"}}}
	for name, things := range map[string][]inventory.Item{"nothing is seen": nil,
		"something is": {{Kind: inventory.KindLink, Name: "flannel.1"}}} {
		c := Cleaning{Network: "flannel", DryRun: true, AtOnce: 1, ask: hosts{"a": {Objects: things, Verdict: unread}}.ask,
			Nodes: []*corev1.Node{node("a", corev1.ConditionTrue)}}
		got := c.each(t.Context(), func(string, ...any) {})
		if got[0].State != Failed || !got[0].Left() || !strings.Contains(got[0].Error, "packet filter not checked: no permission") ||
			got[0].Hint == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestAnInterruptionLeavesTheOtherHosts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Cleaning{Network: "flannel", AtOnce: 1, Nodes: []*corev1.Node{node("a", corev1.ConditionTrue), node("b", corev1.ConditionTrue)},
		ask: func(context.Context, *corev1.Node, json.RawMessage) (json.RawMessage, error) {
			cancel()
			return json.Marshal(inventory.NetworkAnswer{Verdict: inventory.Verdict{State: inventory.Clean}})
		}}
	got := c.each(ctx, func(string, ...any) {})
	if got[0].State != Nothing || got[1].State != NotBegun || !got[1].Left() {
		t.Errorf("got %+v", got)
	}
}

func TestDNSIsMadeAgainOnHostsThatWereCleaned(t *testing.T) {
	dns := func(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: map[string]string{"k8s-app": "kube-dns"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "coredns", Controller: new(true)}}},
			Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{PodIP: "10.244.0.2"}}
		for _, c := range change {
			c(p)
		}
		return p
	}
	other := dns("other", "a", func(p *corev1.Pod) { p.Labels = nil })
	works := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	client := fake.NewClientset(dns("gone", "a"), dns("elsewhere", "b"), other,
		dns("says-ready", "a", works), dns("cleaned-before", "c"), dns("works", "c", works), dns("unknown", "d"),
		dns("waits", "a", func(p *corev1.Pod) { p.Status.PodIP = "" }),
		dns("bare", "a", func(p *corev1.Pod) { p.OwnerReferences = nil }),
		dns("host", "a", func(p *corev1.Pod) { p.Spec.HostNetwork = true }))
	if names, err := waiting(t.Context(), client); err != nil || !slices.Contains(names, "kube-system/gone") ||
		slices.Contains(names, "kube-system/other") {
		t.Errorf("those that wait: %v, %v", names, err)
	}
	if err := RestartDNS(t.Context(), client, []Result{{Node: "a", State: Cleaned}, {Node: "b", State: Failed},
		{Node: "c", State: Nothing}, {Node: "d", State: Silent}}); err != nil {
		t.Fatal(err)
	}
	left, err := client.CoreV1().Pods("kube-system").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range left.Items {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if want := []string{"bare", "elsewhere", "host", "other", "unknown", "waits", "works"}; !slices.Equal(names, want) {
		t.Errorf("left %v, want %v", names, want)
	}
}
