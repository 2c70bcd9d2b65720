// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

// flannelNode is a node that flannel has written on.
func flannelNode(name, address string, change ...func(*corev1.Node)) *corev1.Node {
	n := cnitest.Node(name, cnitest.Ready)
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
	return cnitest.Agents(func(s *appsv1.DaemonSet) {
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
			nodes: []*corev1.Node{flannelNode("a", "172.18.0.2", annotated("public-ipv6", "fd00::1")),
				flannelNode("b", "172.18.0.3", annotated("public-ipv6", "fd00:0::1"))},
			faults: []string{"node a, b: 2 nodes have flannel's public-ipv6 fd00::1"},
		},
		"the address of another node": {nodes: pair(annotated("public-ip", "172.18.0.3")),
			faults: []string{"node a: flannel's public-ip 172.18.0.3 is the address of node b",
				"node a, b: 2 nodes have"}, doubts: []string{"node a: flannel's public-ip 172.18.0.3 is none"}},
		"an address of the pods' own": {nodes: pair(annotated("public-ip", "10.244.0.1")),
			faults: []string{"node a: flannel's public-ip 10.244.0.1 is an address of the pods' own network"}, doubts: []string{"node " +
				"a"}, hint: "--iface="},
		"an address that leads to itself": {nodes: pair(annotated("public-ip", "127.0.0.1")),
			faults: []string{"node a: flannel's public-ip 127.0.0.1 leads to no other node"}, doubts: []string{"node a"}},
		"a link's own address": {nodes: pair(annotated("public-ip", "169.254.1.1")), faults: []string{"leads to no other node"},
			doubts: []string{"node a"}},
		"no address at all": {nodes: pair(annotated("public-ip", "\x1b[2Jx")),
			faults: []string{`node a: flannel's public-ip "[2Jx" is not an address`}},
		"one that is none of its own": {nodes: pair(annotated("public-ip", "10.0.2.15")),
			doubts: []string{"node a: flannel's public-ip 10.0.2.15 is none of its addresses"}, hint: "--iface="},
		"one that a person has chosen":      {nodes: pair(annotated("public-ip", "10.0.2.15")), agents: told("--ip-masq", "--iface=eth1")},
		"one that an annotation has chosen": {nodes: pair(overwritten)},
		"hosts that were copied": {nodes: pair(vxlan("0A:00:00:00:00:02")),
			faults: []string{"node a, b: 2 nodes have the same hardware address 0a:00:00:00:00:02"}, hint: "machine-id"},
		"hosts with one key of WireGuard": {
			nodes: []*corev1.Node{flannelNode("a", "172.18.0.2", annotated("backend-data", `{"PublicKey":"k"}`)),
				flannelNode("b", "172.18.0.3", annotated("backend-data", `{"PublicKey":"k"}`))}, faults: []string{"same WireGuard key k"},
		},
		"another backend than the others": {
			nodes: append(pair(), flannelNode("c", "172.18.0.4",
				annotated("backend-type", "host-gw"))), faults: []string{"node c: flannel has the backend host-gw there, and the backend vxlan with " +
				"VNI 1 on other nodes"}, hint: "rollout restart",
		},
		"another number of the network": {
			nodes: append(pair(), flannelNode("c", "172.18.0.4", annotated("backend-type", "vxlan", "backend-data",
				`{"VNI":7,"VtepMAC":"0a:00:00:00:00:03"}`))), faults: []string{"node c: flannel has the backend vxlan with VNI 7 there"},
		},
		"data that cannot be read is nobody's": {nodes: pair(annotated("backend-data", "{"), annotated("backend-type", ""))},
	} {
		t.Run(name, func(t *testing.T) {
			if c.agents == nil {
				c.agents = told("--ip-masq")
			}
			r := Records{Nodes: c.nodes, Agents: c.agents, Pods: cnitest.CIDRs("10.244.0.0/16")}
			faults, doubts := flannelFaults(r), flannelDoubts(r)
			wantLines(t, "faults", said(faults), c.faults)
			wantLines(t, "doubts", said(doubts), c.doubts)
			for _, g := range append(faults, doubts...) {
				if g.Hint == "" || g.See == "" || (c.hint != "" && !strings.Contains(g.Hint+faults0(faults), c.hint)) {
					t.Errorf("%+v has no way out %q", g, c.hint)
				}
			}
		})
	}
}

func faults0(faults []Fault) string {
	if len(faults) == 0 {
		return ""
	}
	return faults[0].Hint
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

// said is each reason once, with the nodes that it holds for: "a, b: …".
func said(faults []Fault) []string {
	var lines []string
	nodes := map[string][]string{}
	for _, f := range faults {
		if nodes[f.Why] == nil {
			lines = append(lines, f.Why)
		}
		nodes[f.Why] = append(nodes[f.Why], f.Node)
	}
	for i, why := range lines {
		lines[i] = "node " + strings.Join(nodes[why], ", ") + ": " + why
	}
	return lines
}
