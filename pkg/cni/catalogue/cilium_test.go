// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// kubeadmCluster has two nodes, kube-proxy and a name for its API server.
func kubeadmCluster(change ...func(*facts.Facts)) facts.Facts {
	f := facts.Facts{
		Pods:     facts.Range{CIDRs: cnitest.CIDRs("10.244.0.0/16"), Source: "kubeadm"},
		Services: facts.Range{CIDRs: cnitest.CIDRs("10.96.0.0/12"), Source: "kubeadm"},
		Proxy:    facts.Proxy{Present: true, CIDRs: cnitest.CIDRs("10.244.0.0/16")},
		Endpoint: "powercess.com:6443",
		Nodes: []facts.Node{
			{Name: "a", OS: "linux", ControlPlane: true, PodCIDRs: cnitest.CIDRs("10.244.0.0/24"),
				Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}},
			{Name: "b", OS: "linux", PodCIDRs: cnitest.CIDRs("10.244.1.0/24"), Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.3")}},
		},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func withoutProxy(f *facts.Facts) { f.Proxy = facts.Proxy{} }

func withoutPodCIDRs(f *facts.Facts) {
	for i := range f.Nodes {
		f.Nodes[i].PodCIDRs = nil
	}
}

func oneNode(f *facts.Facts) { f.Nodes = f.Nodes[:1] }

func pods(words ...string) func(*facts.Facts) {
	return func(f *facts.Facts) { f.Pods.CIDRs = cnitest.CIDRs(words...) }
}

// chosen reads what a network's values are: "path=value", or the error.
func chosenValues(t *testing.T, n Network, f facts.Facts, person map[string]any) (lines []string, err error) {
	t.Helper()
	settings, err := n.Values(f, person)
	for _, s := range settings {
		lines = append(lines, fmt.Sprintf("%s=%v", s.Path, s.Value))
		if s.Reason == "" {
			t.Errorf("%s has no reason", s.Path)
		}
	}
	return lines, err
}

// valuesCase is a cluster and what a network's values are in it.
type valuesCase struct {
	facts  facts.Facts
	person map[string]any
	want   []string
	says   string
	hint   string
}

func checkValues(t *testing.T, n Network, cases map[string]valuesCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := chosenValues(t, n, c.facts, c.person)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || plan.HintOf(err) == "" || !strings.Contains(plan.HintOf(err), c.hint) {
					t.Errorf("%v, hint %q, want %q with %q", err, plan.HintOf(err), c.says, c.hint)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCiliumFollowsTheCluster(t *testing.T) {
	pool := map[string]any{"ipam": map[string]any{"operator": map[string]any{"clusterPoolIPv4PodCIDRList": []any{"10.0.0.0/8"}},
		"mode": "cluster-pool"}}
	checkValues(t, cilium(), map[string]valuesCase{
		"nodes have pod CIDRs, and kube-proxy is there": {facts: kubeadmCluster(),
			want: []string{"ipam.mode=kubernetes", "kubeProxyReplacement=false"}},
		"without kube-proxy agents are told where the API is": {facts: kubeadmCluster(withoutProxy),
			want: []string{"ipam.mode=kubernetes", "kubeProxyReplacement=true", "k8sServiceHost=powercess.com", "k8sServicePort=6443"}},
		"without kube-proxy, and nothing says where the API is": {
			facts: kubeadmCluster(withoutProxy, func(f *facts.Facts) { f.Endpoint = "" }),
			says:  "nothing in this cluster says where nodes reach its API server", hint: "--set k8sServiceHost=HOST"},
		"a person may say where the API is": {
			facts:  kubeadmCluster(withoutProxy, func(f *facts.Facts) { f.Endpoint = "" }),
			person: map[string]any{"k8sServiceHost": "api"}, want: []string{"ipam.mode=kubernetes", "kubeProxyReplacement=true"}},
		"no kube-proxy and no replacement": {facts: kubeadmCluster(withoutProxy), person: map[string]any{"kubeProxyReplacement": "false"},
			says: "Services would lead nowhere", hint: "addon kube-proxy"},
		"a person may have both": {facts: kubeadmCluster(), person: map[string]any{"kubeProxyReplacement": true},
			want: []string{"ipam.mode=kubernetes"}},
		"one node has room for one operator": {facts: kubeadmCluster(oneNode),
			want: []string{"ipam.mode=kubernetes", "kubeProxyReplacement=false", "operator.replicas=1"}},
		"a node that is gone does not count": {facts: kubeadmCluster(func(f *facts.Facts) { f.Nodes[1].Absent = "gone" }),
			want: []string{"ipam.mode=kubernetes", "kubeProxyReplacement=false", "operator.replicas=1"}},
		"nodes without pod CIDRs get them of Cilium": {facts: kubeadmCluster(withoutPodCIDRs),
			want: []string{"ipam.mode=cluster-pool", "ipam.operator.clusterPoolIPv4PodCIDRList=[10.244.0.0/16]", "kubeProxyReplacement=false"}},
		"but not from nowhere": {facts: kubeadmCluster(withoutPodCIDRs, pods()), says: "pod CIDR of this cluster is not set",
			hint: "--cluster-cidr="},
		"a mode that cannot work": {facts: kubeadmCluster(withoutPodCIDRs), person: map[string]any{"ipam": map[string]any{"mode": "kubernetes"}},
			says: "no node has a pod CIDR", hint: "leave ipam.mode out"},
		"a pool that is not the cluster's": {facts: kubeadmCluster(), person: pool,
			says: "clusterPoolIPv4PodCIDRList=[10.0.0.0/8] contradicts the cluster", hint: "leave"},
		"two families": {facts: kubeadmCluster(pods("10.244.0.0/16", "fd00::/56")),
			want: []string{"ipam.mode=kubernetes", "ipv6.enabled=true", "kubeProxyReplacement=false"}},
		"IPv6 alone": {facts: kubeadmCluster(pods("fd00::/56"), func(f *facts.Facts) { f.Nodes[0].PodCIDRs = cnitest.CIDRs("fd00::/64") }),
			want: []string{"ipam.mode=kubernetes", "ipv6.enabled=true", "ipv4.enabled=false", "kubeProxyReplacement=false"}},
		"pods and Services that overlap": {facts: kubeadmCluster(pods("10.0.0.0/8")), says: "overlaps the Services'"},
	})
}

func TestCiliumIsOnANodeOnceItsOperatorSaysSo(t *testing.T) {
	up := corev1.NodeCondition{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionFalse, Reason: "CiliumIsUp"}
	before := up
	before.Reason = "FlannelIsUp"
	for name, c := range map[string]struct {
		taint     string
		condition corev1.NodeCondition
		says      string
	}{
		"up": {condition: up}, "another network's word": {condition: before, says: "no condition NetworkUnavailable=False of Cilium"},
		"its taint is there": {taint: "node.cilium.io/agent-not-ready", condition: up, says: "taint node.cilium.io/agent-not-ready"},
	} {
		t.Run(name, func(t *testing.T) {
			node := cnitest.Node("a")
			node.Status.Conditions = []corev1.NodeCondition{c.condition}
			if c.taint != "" {
				node.Spec.Taints = []corev1.Taint{{Key: c.taint}}
			}
			if got := ciliumOnNode(node); c.says == "" != (got == "") || !strings.Contains(got, c.says) {
				t.Errorf("%q, want %q", got, c.says)
			}
		})
	}
}
