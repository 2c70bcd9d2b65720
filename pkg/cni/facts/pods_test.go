// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

// running is a pod that runs with an address; owner is "Kind/name", or empty.
func running(name, address, kind string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop"}}
	pod.Status.Phase, pod.Status.PodIP = corev1.PodRunning, address
	if kind != "" {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "web", UID: "web", Controller: &yes}}
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func TestPodsAreCountedByTheirAddresses(t *testing.T) {
	f := Facts{Pods: Range{CIDRs: cnitest.CIDRs("10.244.0.0/16")}}
	objects := Objects{Agents: []*appsv1.DaemonSet{cnitest.Agents()}}
	client := fake.NewClientset(
		running("in", "10.244.1.2", "ReplicaSet"), running("out-1", "172.17.0.2", "ReplicaSet"), running("out-2", "172.17.0.3", "ReplicaSet"),
		running("bare", "10.88.0.2", ""),
		running("of-the-host", "192.168.0.1", "", func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		running("ended", "10.88.0.3", "", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		running("no-address-yet", "", ""), running("no-address", "ten", ""),
		cnitest.Agent("a"), cnitest.Agent("b"),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "operator", Namespace: "kube-flannel"},
			Status: corev1.PodStatus{Phase: corev1.PodPending}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "waits", Namespace: "shop"}, Status: corev1.PodStatus{Phase: corev1.PodPending}},
	)
	got, err := ReadPods(t.Context(), client, f, objects, ofNode)
	if err != nil {
		t.Fatal(err)
	}
	if got.Networked != 4 || got.Inside != 1 || len(got.Agents[0]) != 2 || len(got.Waiting) != 1 || got.Waiting[0].Name != "operator" {
		t.Errorf("networked %d, inside %d, agents %d, waiting %v", got.Networked, got.Inside, len(got.Agents[0]), got.Waiting)
	}
	want := []Stray{{"shop", "Pod/bare", 1, "10.88.0.2"}, {"shop", "ReplicaSet/web", 2, "172.17.0.2"}}
	if diff := cmp.Diff(want, got.Strays); diff != "" {
		t.Error(diff)
	}
	if n := len(client.Actions()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestAddressesComeFromThePoolElseFromTheCluster(t *testing.T) {
	own := Network{Setting: Setting{Pool: cnitest.CIDRs("10.16.0.0/16")}}
	nodes := []Node{{PodCIDRs: cnitest.CIDRs("10.1.0.0/24")}, {PodCIDRs: cnitest.CIDRs("10.1.1.0/24")}}
	for want, f := range map[string]Facts{
		"10.16.0.0/16":            {Networks: []Network{own}, Pods: Range{CIDRs: cnitest.CIDRs("10.244.0.0/16")}, Nodes: nodes},
		"10.244.0.0/16":           {Networks: []Network{{}}, Pods: Range{CIDRs: cnitest.CIDRs("10.244.0.0/16")}, Nodes: nodes},
		"10.1.0.0/24,10.1.1.0/24": {Nodes: nodes},
		"":                        {},
	} {
		if got := cidr.List(f.Given()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheNumberOfRequestsDoesNotDependOnTheNodes(t *testing.T) {
	count := func(nodes int) int {
		client := fake.NewClientset(cnitest.Agents())
		for i := range nodes {
			if err := client.Tracker().Add(cnitest.Node(fmt.Sprintf("n%d", i))); err != nil {
				t.Fatal(err)
			}
		}
		f, o, err := ReadAll(t.Context(), client, []Sign{{CNI: "flannel", DaemonSets: []string{"kube-flannel-ds"}}})
		if err == nil {
			_, err = ReadPods(t.Context(), client, f, o, ofNode)
		}
		if err != nil || len(f.Nodes) != nodes || len(o.Agents) != 1 {
			t.Fatalf("%d nodes, %d agents, %v", len(f.Nodes), len(o.Agents), err)
		}
		return len(client.Actions())
	}
	if few, many := count(2), count(300); few != many || many > 12 {
		t.Errorf("%d requests for 2 nodes, %d for 300", few, many)
	}
}
