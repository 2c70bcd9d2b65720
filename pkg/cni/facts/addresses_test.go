// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

// shared is a cluster of both families in which flannel runs on nodes a, b and c; c does
// not answer, and node d is none of flannel's.
func shared(change ...func(*Facts, *Objects)) (Facts, Objects) {
	both := cnitest.CIDRs("10.244.0.0/16", "fd00::/56")
	f := Facts{Pods: Range{CIDRs: both}, Networks: []Network{{CNI: "flannel", Setting: Setting{Pool: both}}}}
	o := Objects{Agents: []*appsv1.DaemonSet{cnitest.Agents()}}
	for i, name := range []string{"a", "b", "c", "d"} {
		f.Nodes = append(f.Nodes, Node{Name: name, PodCIDRs: cnitest.CIDRs(fmt.Sprintf("10.244.%d.0/24", i), fmt.Sprintf("fd00:0:0:%d::/64", i))})
		o.Nodes = append(o.Nodes, cnitest.Node(name, cnitest.Ready))
	}
	f.Nodes[2].Absent = "its kubelet does not answer"
	for _, c := range change {
		c(&f, &o)
	}
	return f, o
}

// ofNode are the networks of these tests.
func ofNode(network, ipam string) bool {
	return network != "calico" && (network != "cilium" || ipam == "kubernetes")
}

// on is a pod that runs on a node; addresses are of one or two families.
func on(node, name, addresses string, change ...func(*corev1.Pod)) *corev1.Pod {
	first, second, _ := strings.Cut(addresses, ",")
	return running(name, first, "", append([]func(*corev1.Pod){func(p *corev1.Pod) {
		p.Spec.NodeName = node
		p.Status.PodIPs = []corev1.PodIP{{IP: first}}
		if second != "" {
			p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: second})
		}
	}}, change...)...)
}

func leaving(p *corev1.Pod) {
	now := metav1.Now()
	p.DeletionTimestamp, p.Finalizers = &now, []string{"shop.example.com/kept"}
}

func finished(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }

func onTheHost(p *corev1.Pod) { p.Spec.HostNetwork = true }

// seen is what was found, in one line.
func seen(p Pods) string {
	out := []string{fmt.Sprintf("%d of %d", p.Inside, p.Networked)}
	for _, m := range p.Misplaced {
		out = append(out, fmt.Sprintf("misplaced %s %d %s %s", m.Node, m.Pods, m.Pod, m.Address))
	}
	for _, t := range p.Twins {
		line := fmt.Sprintf("twins %s %d", t.Address, t.Pods)
		for _, h := range t.Holders {
			line += " " + h.Pod + "@" + h.Node
		}
		out = append(out, line)
	}
	for _, s := range p.Strays {
		out = append(out, fmt.Sprintf("stray %s/%s %d", s.Namespace, s.Owner, s.Pods))
	}
	return strings.Join(out, "; ")
}

func TestAPodsAddressIsOfItsOwnNode(t *testing.T) {
	named := func(network, ipam string) func(*Facts, *Objects) {
		return func(f *Facts, _ *Objects) { f.Networks[0].CNI, f.Networks[0].Setting.IPAM = network, ipam }
	}
	for name, c := range map[string]struct {
		change func(*Facts, *Objects)
		pods   []runtime.Object
		want   string
	}{
		"each node gives out its own": {nil, []runtime.Object{on("a", "x", "10.244.0.2,fd00::2"), on("b", "y", "10.244.1.2,fd00:0:0:1::2")},
			"2 of 2"},
		"another program gives out the whole range": {nil, []runtime.Object{on("a", "x", "10.244.0.2"), on("b", "y", "10.244.0.2"),
			on("b", "z", "10.244.0.3")}, "1 of 3; misplaced b 2 shop/y 10.244.0.2; twins 10.244.0.2 2 shop/x@a shop/y@b"},
		"a bridge has kept an earlier pod CIDR": {nil, []runtime.Object{on("b", "y", "10.244.9.3")}, "0 of 1; misplaced b 1 shop/y 10.244.9.3"},
		"the second family alone is another node's": {nil, []runtime.Object{on("a", "x", "10.244.0.2,fd00:0:0:1::2")},
			"0 of 1; misplaced a 1 shop/x fd00:0:0:1::2"},
		"a node without a pod CIDR of a family": {func(f *Facts, _ *Objects) { f.Nodes[0].PodCIDRs = f.Nodes[0].PodCIDRs[:1] },
			[]runtime.Object{on("a", "x", "10.244.0.2,fd00:0:0:9::2")}, "1 of 1"},
		"an address of no range is a stray, whichever node it is on": {nil, []runtime.Object{on("a", "x", "10.88.0.2")},
			"0 of 1; stray shop/Pod/x 1"},
		"the second family is of no range": {nil, []runtime.Object{on("a", "x", "10.244.0.2,fc00::2")}, "0 of 1; stray shop/Pod/x 1"},
		"nothing says the range of the second family": {func(f *Facts, _ *Objects) {
			f.Networks[0].Setting.Pool = cnitest.CIDRs("10.244.0.0/16")
			f.Nodes[0].PodCIDRs = cnitest.CIDRs("10.244.0.0/24")
		}, []runtime.Object{on("a", "x", "10.244.0.2,fc00::2")}, "1 of 1"},
		"pods that leave, have ended or are on the host": {nil, []runtime.Object{on("a", "x", "10.244.1.2", leaving),
			on("a", "y", "10.244.1.3", finished), on("a", "z", "172.18.0.2", onTheHost)}, "1 of 1"},
		"a node that does not answer":         {nil, []runtime.Object{on("c", "x", "10.244.0.2")}, "1 of 1"},
		"a node on which flannel has no pod":  {nil, []runtime.Object{on("d", "x", "10.244.0.2")}, "1 of 1"},
		"a node that is not there (any more)": {nil, []runtime.Object{on("e", "x", "10.244.0.2")}, "1 of 1"},
		"flannel with its own etcd": {func(_ *Facts, o *Objects) { o.Nodes[0].Annotations = nil },
			[]runtime.Object{on("a", "x", "10.244.7.2")}, "1 of 1"},
		"kube-router that was told another range": {func(f *Facts, o *Objects) {
			f.Networks[0].CNI = "kube-router"
			o.Nodes[0].Annotations = map[string]string{"kube-router.io/pod-cidr": "10.244.7.0/24"}
		}, []runtime.Object{on("a", "x", "10.244.7.2")}, "1 of 1"},
		"Cilium with the nodes' pod CIDRs": {named("cilium", "kubernetes"), []runtime.Object{on("a", "x", "10.244.7.2")},
			"0 of 1; misplaced a 1 shop/x 10.244.7.2"},
		"Cilium with a pool of its own": {named("cilium", "cluster-pool"), []runtime.Object{on("a", "x", "10.244.7.2")}, "1 of 1"},
		"Calico":                        {named("calico", "calico-ipam"), []runtime.Object{on("a", "x", "10.244.7.2")}, "1 of 1"},
		"a second network with a pool of its own": {func(f *Facts, _ *Objects) {
			f.Networks = append(f.Networks, Network{CNI: "calico"})
		}, []runtime.Object{on("a", "x", "10.244.7.2")}, "1 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, c.change, c.pods, c.want)
		})
	}
}

func TestNoTwoPodsHaveOneAddress(t *testing.T) {
	calico := func(f *Facts, _ *Objects) { f.Networks[0].CNI = "calico" }
	many := func(n int) (pods []runtime.Object) {
		for i := range n {
			pods = append(pods, on("a", fmt.Sprintf("x%d", i), "10.244.0.2"))
		}
		return pods
	}
	for name, c := range map[string]struct {
		change func(*Facts, *Objects)
		pods   []runtime.Object
		want   string
	}{
		"on one node": {nil, many(2), "2 of 2; twins 10.244.0.2 2 shop/x0@a shop/x1@a"},
		"of many pods a few are named": {nil, many(7),
			"7 of 7; twins 10.244.0.2 7 shop/x0@a shop/x1@a shop/x2@a shop/x3@a shop/x4@a"},
		"of whatever network": {calico, []runtime.Object{on("a", "x", "10.244.7.2"), on("b", "y", "10.244.7.2")},
			"2 of 2; twins 10.244.7.2 2 shop/x@a shop/y@b"},
		"in the second family": {calico, []runtime.Object{on("a", "x", "10.244.7.2,fd00::2"), on("b", "y", "10.244.7.3,fd00::2")},
			"2 of 2; twins fd00::2 2 shop/x@a shop/y@b"},
		"one pod that is told its address twice": {nil, []runtime.Object{on("a", "x", "10.244.0.2,10.244.0.2")}, "1 of 1"},
		"pods on the host's network": {nil, []runtime.Object{on("a", "x", "172.18.0.2", onTheHost),
			on("a", "y", "172.18.0.2", onTheHost)}, "0 of 0"},
		"one has ended": {nil, []runtime.Object{on("a", "x", "10.244.0.2"),
			on("a", "y", "10.244.0.2", finished)}, "1 of 1"},
		"one is going away": {nil, []runtime.Object{on("a", "x", "10.244.0.2"),
			on("a", "y", "10.244.0.2", leaving)}, "2 of 2"},
		"one is on a node that does not answer": {nil, []runtime.Object{on("c", "x", "10.244.2.2"), on("c", "y", "10.244.2.2")}, "2 of 2"},
		"one is of a simulated kubelet":         {calico, []runtime.Object{on("a", "x", "10.244.7.2"), on("d", "y", "10.244.7.2")}, "2 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, c.change, c.pods, c.want)
		})
	}
}

func check(t *testing.T, change func(*Facts, *Objects), pods []runtime.Object, want string) {
	t.Helper()
	f, o := shared()
	if change != nil {
		f, o = shared(change)
	}
	client := fake.NewClientset(append(pods, cnitest.Agent("a"), cnitest.Agent("b"), cnitest.Agent("c"))...)
	got, err := ReadPods(t.Context(), client, f, o, ofNode)
	if err != nil {
		t.Fatal(err)
	}
	if seen(got) != want {
		t.Errorf("got  %s\nwant %s", seen(got), want)
	}
}

func TestAControllersNameIsBoundedAndHarmless(t *testing.T) {
	pod := running("x", "10.88.0.2", "ReplicaSet", func(p *corev1.Pod) {
		p.OwnerReferences[0].Name = "web\x1b[2J\nforged" + strings.Repeat("x", 5000)
	})
	got, err := ReadPods(t.Context(), fake.NewClientset(pod), Facts{Pods: Range{CIDRs: cnitest.CIDRs("10.244.0.0/16")}}, Objects{}, ofNode)
	if err != nil || len(got.Strays) != 1 {
		t.Fatal(got.Strays, err)
	}
	if owner := got.Strays[0].Owner; strings.ContainsAny(owner, "\x1b\n") || len([]rune(owner)) > maxOwner+1 {
		t.Errorf("%q", owner)
	}
}
