// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// old makes a node that has been there for an hour.
func old(n *corev1.Node) { n.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour)) }

func condition(status corev1.ConditionStatus, message string, ago time.Duration) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Message: message, LastTransitionTime: metav1.NewTime(time.Now().Add(-ago))}}
	}
}

func TestOfWhichNodesNothingCanBeExpected(t *testing.T) {
	deleted := func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	givenUp := func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/out-of-service"}} }
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	const noNetwork = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"
	for name, c := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"a Ready one is there":                               {node("a", ready), ""},
		"a cordoned one, too":                                {node("a", ready, cordoned), ""},
		"one that waits for its network, however long":       {node("a", old, condition(corev1.ConditionFalse, noNetwork, time.Hour)), ""},
		"one that has just begun to say what else it lacks":  {node("a", old, condition(corev1.ConditionFalse, "container runtime status check may not have completed yet", time.Second)), ""},
		"one whose runtime is down for long":                 {node("a", old, condition(corev1.ConditionFalse, "container runtime is down", time.Hour)), "NotReady, not for its network: container runtime is down"},
		"one whose kubelet is silent":                        {node("a", old, condition(corev1.ConditionUnknown, "Kubelet stopped posting node status.", time.Second)), "NotReady, its kubelet does not answer"},
		"one that is new and has said nothing":               {node("a", func(n *corev1.Node) { n.CreationTimestamp = metav1.NewTime(time.Now()) }), ""},
		"one that has never said a word":                     {node("a", old), "its kubelet has never reported"},
		"one that is being deleted, Ready or not":            {node("a", ready, deleted), "it is being deleted"},
		"one that was given up, though its kubelet is there": {node("a", ready, givenUp), "it was given up"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := absence(c.node, time.Now()); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestNodesThatCanNeverBeServedAreSaidBefore(t *testing.T) {
	full := func(f *Facts) {
		f.Pods.CIDRs, f.Proxy.CIDRs = cidrs("10.244.0.0/23"), cidrs("10.244.0.0/23")
		f.Nodes = append(f.Nodes, Node{Name: "c", OS: "linux", Grown: true})
	}
	for name, c := range map[string]struct {
		facts Facts
		want  string
	}{
		"a range that is full": {kubeadmFacts(full), "node c cannot be served: it has no pod CIDR (the range 10.244.0.0/23 is full: it holds 2 of /24, and all are given out)"},
		"nobody who gives any out": {
			kubeadmFacts(func(f *Facts) { f.Nodes = append(f.Nodes, Node{Name: "c", OS: "linux", Grown: true}) }),
			"node c cannot be served: it has no pod CIDR (kube-controller-manager gives none out",
		},
		"one that is new may still get one": {kubeadmFacts(func(f *Facts) { f.Nodes = append(f.Nodes, Node{Name: "c", OS: "linux"}) }), ""},
		"a family that one node lacks": {
			kubeadmFacts(func(f *Facts) {
				f.Pods.CIDRs = cidrs("10.244.0.0/16", "fd00::/56")
				f.Proxy.CIDRs = f.Pods.CIDRs
				f.Nodes[0].PodCIDRs = cidrs("10.244.0.0/24", "fd00::/64")
				f.Nodes[1].Grown = true
			}), "node b cannot be served: it has no pod CIDR of IPv6",
		},
		"a dead one is not waited for": {kubeadmFacts(func(f *Facts) { f.Nodes[1].Absent = "NotReady" }), "node b is not waited for: NotReady"},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := Decide(c.facts, Request{CNI: "flannel"})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(inst.Notes, "\n"); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("notes %q, want %q", got, c.want)
			}
		})
	}
	for name, other := range map[string]string{"the same": "10.244.0.0/24", "one within": "10.244.0.64/26"} {
		t.Run("pod CIDRs that overlap are refused: "+name, func(t *testing.T) {
			_, err := Decide(kubeadmFacts(func(f *Facts) { f.Nodes[1].PodCIDRs = cidrs(other) }), Request{CNI: "flannel"})
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "overlap") || !strings.Contains(err.Error(), "a (10.244.0.0/24)") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// flannelNode is a node that flannel has written on.
func flannelNode(name, address string, change ...func(*corev1.Node)) *corev1.Node {
	n := node(name, ready)
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: name}}
	n.Annotations[flannelPrefix+"public-ip"] = address
	for _, c := range change {
		c(n)
	}
	return n
}

func annotated(pairs ...string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for i := 0; i < len(pairs); i += 2 {
			n.Annotations[flannelPrefix+pairs[i]] = pairs[i+1]
		}
	}
}

func vxlan(mac string) func(*corev1.Node) {
	return annotated("backend-type", "vxlan", "backend-data", `{"VNI":1,"VtepMAC":"`+mac+`"}`)
}

func told(args ...string) *appsv1.DaemonSet {
	return agents(func(s *appsv1.DaemonSet) {
		s.Spec.Template.Spec.Containers = []corev1.Container{{Name: "kube-flannel", Command: []string{"/opt/bin/flanneld"}, Args: args}}
	})
}

func TestRecordsThatLeadPacketsAstrayAreFaults(t *testing.T) {
	pair := func(change ...func(*corev1.Node)) []*corev1.Node {
		b := flannelNode("b", "172.18.0.3", vxlan("0a:00:00:00:00:02"))
		return []*corev1.Node{flannelNode("a", "172.18.0.2", append([]func(*corev1.Node){vxlan("0a:00:00:00:00:01")}, change...)...), b}
	}
	overwritten := annotated("public-ip", "10.0.2.15", "public-ip-overwrite", "10.0.2.15")
	for name, c := range map[string]struct {
		nodes  []*corev1.Node
		agents *appsv1.DaemonSet
		faults []string
		doubts []string
		hint   string
	}{
		"none, where each has its own": {nodes: pair()},
		"two nodes at one address": {
			nodes:  []*corev1.Node{flannelNode("a", "172.18.0.2", overwritten), flannelNode("b", "172.18.0.3", overwritten)},
			faults: []string{"node a, b: 2 nodes have flannel's public-ip 10.0.2.15: pods of one cannot reach those of the other"},
			hint:   "kubectl annotate node a flannel.alpha.coreos.com/public-ip-overwrite-",
		},
		"two nodes at one IPv6 address, written in two ways": {
			nodes:  []*corev1.Node{flannelNode("a", "172.18.0.2", annotated("public-ipv6", "fd00::1")), flannelNode("b", "172.18.0.3", annotated("public-ipv6", "fd00:0::1"))},
			faults: []string{"node a, b: 2 nodes have flannel's public-ipv6 fd00::1"},
		},
		"the address of another node":       {nodes: pair(annotated("public-ip", "172.18.0.3")), faults: []string{"node a: flannel's public-ip 172.18.0.3 is the address of node b", "node a, b: 2 nodes have"}, doubts: []string{"node a: flannel's public-ip 172.18.0.3 is none"}},
		"an address of the pods' own":       {nodes: pair(annotated("public-ip", "10.244.0.1")), faults: []string{"node a: flannel's public-ip 10.244.0.1 is an address of the pods' own network"}, doubts: []string{"node a"}, hint: "--iface="},
		"an address that leads to itself":   {nodes: pair(annotated("public-ip", "127.0.0.1")), faults: []string{"node a: flannel's public-ip 127.0.0.1 leads to no other node"}, doubts: []string{"node a"}},
		"a link's own address":              {nodes: pair(annotated("public-ip", "169.254.1.1")), faults: []string{"leads to no other node"}, doubts: []string{"node a"}},
		"no address at all":                 {nodes: pair(annotated("public-ip", "\x1b[2Jx")), faults: []string{`node a: flannel's public-ip "[2Jx" is no address`}},
		"one that is none of its own":       {nodes: pair(annotated("public-ip", "10.0.2.15")), doubts: []string{"node a: flannel's public-ip 10.0.2.15 is none of its addresses"}, hint: "--iface="},
		"one that a person has chosen":      {nodes: pair(annotated("public-ip", "10.0.2.15")), agents: told("--ip-masq", "--iface=eth1")},
		"one that an annotation has chosen": {nodes: pair(overwritten)},
		"hosts that were copied":            {nodes: pair(vxlan("0A:00:00:00:00:02")), faults: []string{"node a, b: 2 nodes have the same hardware address 0a:00:00:00:00:02"}, hint: "machine-id"},
		"hosts with one key of WireGuard": {
			nodes: []*corev1.Node{flannelNode("a", "172.18.0.2", annotated("backend-data", `{"PublicKey":"k"}`)), flannelNode("b", "172.18.0.3", annotated("backend-data", `{"PublicKey":"k"}`))}, faults: []string{"same WireGuard key k"},
		},
		"another backend than the others": {
			nodes: append(pair(), flannelNode("c", "172.18.0.4", annotated("backend-type", "host-gw"))), faults: []string{"node c: flannel has the backend host-gw there, and the backend vxlan with VNI 1 on other nodes"}, hint: "rollout restart",
		},
		"another number of the network": {
			nodes: append(pair(), flannelNode("c", "172.18.0.4", annotated("backend-type", "vxlan", "backend-data", `{"VNI":7,"VtepMAC":"0a:00:00:00:00:03"}`))), faults: []string{"node c: flannel has the backend vxlan with VNI 7 there"},
		},
		"data that cannot be read is nobody's": {nodes: pair(annotated("backend-data", "{"), annotated("backend-type", ""))},
	} {
		t.Run(name, func(t *testing.T) {
			if c.agents == nil {
				c.agents = told("--ip-masq")
			}
			r := records{nodes: c.nodes, agents: c.agents, pods: cidrs("10.244.0.0/16")}
			faults, doubts := flannelFaults(r), flannelDoubts(r)
			wantLines(t, "faults", grouped(faults), c.faults)
			wantLines(t, "doubts", grouped(doubts), c.doubts)
			for _, g := range append(faults, doubts...) {
				if g.hint == "" || g.see == "" || (c.hint != "" && !strings.Contains(g.hint+faults0(faults), c.hint)) {
					t.Errorf("%+v has no way out %q", g, c.hint)
				}
			}
		})
	}
}

func faults0(faults []gap) string {
	if len(faults) == 0 {
		return ""
	}
	return faults[0].hint
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%s: %q, want %q", what, got[i], want[i])
		}
	}
}

// atOneAddress are two nodes whose agents are well, and whose pods cannot reach
// each other.
func atOneAddress() []runtime.Object {
	wrong := annotated("public-ip", "10.0.2.15")
	return []runtime.Object{node("a", ready, wrong), node("b", ready, wrong), agents(), agent("a"), agent("b"), coreDNS(true)}
}

func TestWaitEndsWithWhatDoesNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		objects func() []runtime.Object
		action  Action
		class   plan.Class
		says    string
	}{
		"two nodes at one address, after an installation": {atOneAddress, Install, plan.Broken, "2 nodes have flannel's public-ip 10.0.2.15"},
		"the same, where there was nothing to change":     {atOneAddress, Keep, plan.Found, "2 nodes have flannel's public-ip 10.0.2.15"},
		"a node that is never given a pod CIDR": {
			func() []runtime.Object {
				return []runtime.Object{node("a", ready), node("b", old, condition(corev1.ConditionFalse, "cni plugin not initialized", time.Hour)), agents(), agent("a"), coreDNS(true)}
			},
			Install, plan.Broken, "node b: it cannot be served: it has no pod CIDR",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inst := flannel
				inst.Action = c.action
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := Wait(ctx, fake.NewClientset(c.objects()...), inst, func(string, ...any) {})
				if plan.ClassOf(err) != c.class || !strings.Contains(fmt.Sprint(err), c.says) || plan.HintOf(err) == "" {
					t.Errorf("class %d: %v", plan.ClassOf(err), err)
				}
				if took := time.Since(start); took > 2*faultsLast {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
	t.Run("but not if the agents correct it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset(atOneAddress()...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := waitOn(ctx, client)
			time.Sleep(faultsLast / 2)
			replace(t, client, node("a", ready))
			time.Sleep(faultsLast)
			if !w.done() || w.err != nil {
				t.Errorf("not done, or %v", w.err)
			}
		})
	})
}

func TestDeadNodesHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := halfDNS()
		half.Spec.Replicas = new(int32(2))
		outdated := agents(func(s *appsv1.DaemonSet) { s.Status.DesiredNumberScheduled, s.Status.UpdatedNumberScheduled = 3, 2 })
		dead := node("c", old, condition(corev1.ConditionUnknown, "Kubelet stopped posting node status.", time.Second))
		client := fake.NewClientset(node("a", ready), node("b", ready), dead, outdated, agent("a"), agent("b"), half)
		v, err := look(t.Context(), client, flannel)
		if err != nil || len(v.gaps())+len(v.faults()) > 0 {
			t.Errorf("gaps %v, faults %v, %v", grouped(v.gaps()), grouped(v.faults()), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := Wait(ctx, client, flannel, func(string, ...any) {}); err != nil {
			t.Error(err)
		}
		got, err := Look(t.Context(), client, flannel)
		if err != nil || fmt.Sprint(got.Unserved) != "[c (NotReady, its kubelet does not answer)]" {
			t.Errorf("%v, %v", got, err)
		}
	})
}
