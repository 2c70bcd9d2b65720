// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func cidrs(words ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, w := range words {
		out = append(out, netip.MustParsePrefix(w))
	}
	return out
}

// kubeadmFacts is a healthy kubeadm cluster without a network.
func kubeadmFacts(change ...func(*Facts)) Facts {
	f := Facts{
		Pods:     Range{CIDRs: cidrs("10.244.0.0/16"), Source: "kubeadm"},
		Services: Range{CIDRs: cidrs("10.96.0.0/12"), Source: "kubeadm"},
		Proxy:    Proxy{Present: true, CIDRs: cidrs("10.244.0.0/16")},
		Nodes: []Node{
			{Name: "a", OS: "linux", PodCIDRs: cidrs("10.244.0.0/24"), Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}},
			{Name: "b", OS: "linux", PodCIDRs: cidrs("10.244.1.0/24"), Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.3")}},
		},
		DNS: DNS{Name: "coredns", Desired: 2},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

// installed adds a release and its agents.
func installed(status Status, values map[string]any) func(*Facts) {
	return func(f *Facts) {
		f.Networks = []Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel", ReleaseNamespace: "kube-flannel"}}
		f.Releases = []Release{{Name: "flannel", Namespace: "kube-flannel", Revision: 1, Status: status, Version: "v0.27.0", Digest: "old", Values: values}}
	}
}

func TestDecideRefuses(t *testing.T) {
	cases := map[string]struct {
		facts Facts
		req   Request
		class plan.Class
		says  string
		hint  string
	}{
		"a network it does not know, with those it does": {
			req: Request{CNI: "cilium"}, class: plan.Misused, says: `unknown network "cilium"`, hint: "known: flannel",
		},
		"a cluster that kubeadm did not make, by name": {
			facts: kubeadmFacts(func(f *Facts) { f.Foreign = "k3s" }), says: "this is a k3s cluster",
		},
		"a second network beside a first": {
			facts: kubeadmFacts(func(f *Facts) {
				f.Networks = []Network{{CNI: "calico", Namespace: "calico-system", DaemonSet: "calico-node"}}
			}),
			says: "has a network already: calico (daemonset calico-system/calico-node)", hint: "Remove calico first",
		},
		"the same network applied by hand": {
			facts: kubeadmFacts(func(f *Facts) {
				f.Networks = []Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds"}}
			}),
			says: "not from a Helm release", hint: "kubectl delete -f",
		},
		"flannel without kube-proxy": {
			facts: kubeadmFacts(func(f *Facts) { f.Proxy.Present = false }), says: "needs kube-proxy", hint: "kubeadm init phase addon kube-proxy",
		},
		"a cluster without a pod CIDR": {
			facts: kubeadmFacts(func(f *Facts) { f.Pods, f.Proxy.CIDRs, f.Nodes = Range{}, nil, nil }),
			says:  "pod CIDR of this cluster is not set", hint: "--cluster-cidr=",
		},
		"a cluster that gives out pod CIDRs without saying from where": {
			facts: kubeadmFacts(func(f *Facts) { f.Pods, f.Proxy.CIDRs = Range{}, nil }),
			says:  "pod CIDR of this cluster is not set", hint: "node a has 10.244.0.0/24: name the whole range",
		},
		"nodes to which no pod CIDR was given": {
			facts: kubeadmFacts(func(f *Facts) { f.Nodes[0].PodCIDRs, f.Nodes[1].PodCIDRs = nil, nil }),
			says:  "no node has a pod CIDR", hint: "--allocate-node-cidrs=true",
		},
		"a value that contradicts the cluster": {
			facts: kubeadmFacts(), req: Request{Values: map[string]any{"podCidr": "10.224.0.0/16"}},
			says: "podCidr=10.224.0.0/16 contradicts the cluster, whose pods are in 10.244.0.0/16", hint: "leave podCidr out",
		},
		"an emptied pod CIDR": {
			facts: kubeadmFacts(), req: Request{Values: map[string]any{"podCidr": ""}}, says: "contradicts the cluster",
		},
		"an IPv6 range that the cluster does not have": {
			facts: kubeadmFacts(), req: Request{Values: map[string]any{"podCidrv6": "fd00::/56"}}, says: "podCidrv6=fd00::/56 contradicts",
		},
		"a value that is no CIDR, as wrong usage": {
			facts: kubeadmFacts(), req: Request{Values: map[string]any{"podCidr": "ten"}}, class: plan.Misused, says: `"ten" is not a CIDR`,
		},
		"pods and Services that overlap": {
			facts: kubeadmFacts(func(f *Facts) { f.Services.CIDRs = cidrs("10.244.128.0/20") }),
			says:  "10.244.0.0/16 (kubeadm) overlaps the Services' 10.244.128.0/20",
		},
		"a node whose address is a pod's": {
			facts: kubeadmFacts(func(f *Facts) { f.Nodes[1].Addresses = []netip.Addr{netip.MustParseAddr("10.244.7.7")} }),
			says:  "node b has the address 10.244.7.7",
		},
		"a node whose pod CIDR is outside of the cluster's": {
			facts: kubeadmFacts(func(f *Facts) { f.Nodes[1].PodCIDRs = cidrs("10.1.1.0/24") }),
			says:  "node b has the pod CIDR 10.1.1.0/24, which is not in 10.244.0.0/16",
		},
		"a person's range that does not hold the nodes'": {
			facts: kubeadmFacts(func(f *Facts) { f.Pods = Range{} }), req: Request{Values: map[string]any{"podCidr": "10.50.0.0/16"}},
			says: "is not in 10.50.0.0/16",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.req.CNI == "" {
				c.req.CNI = "flannel"
			}
			if c.class == 0 {
				c.class = plan.Refused
			}
			_, err := Decide(c.facts, c.req)
			if err == nil {
				t.Fatal("it was not refused")
			}
			if got := plan.ClassOf(err); got != c.class {
				t.Errorf("class %d, want %d", got, c.class)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q, not %q", err, c.says)
			}
			hint := plan.HintOf(err)
			if !strings.Contains(hint, c.hint) || (hint == "" && c.class == plan.Refused) {
				t.Errorf("its hint is %q, want %q", hint, c.hint)
			}
		})
	}
}

func TestDecidePicksValues(t *testing.T) {
	cases := map[string]struct {
		facts Facts
		user  map[string]any
		want  []Setting
	}{
		"the pod CIDR is the cluster's": {
			facts: kubeadmFacts(),
			want:  []Setting{{"podCidr", "10.244.0.0/16", "from the cluster: kubeadm"}},
		},
		"a dual-stack cluster has both": {
			facts: kubeadmFacts(func(f *Facts) { f.Pods.CIDRs = cidrs("fd00:10:244::/56", "10.244.0.0/16") }),
			want:  []Setting{{"podCidr", "10.244.0.0/16", "from the cluster: kubeadm"}, {"podCidrv6", "fd00:10:244::/56", "from the cluster: kubeadm"}},
		},
		"with IPv6 alone the chart's IPv4 default is emptied": {
			facts: kubeadmFacts(func(f *Facts) {
				f.Pods.CIDRs = cidrs("fd00:10:244::/56")
				f.Nodes = nil
			}),
			want: []Setting{{"podCidr", "", "there are no IPv4 pods: kubeadm"}, {"podCidrv6", "fd00:10:244::/56", "from the cluster: kubeadm"}},
		},
		"a person's values go along, secrets unseen": {
			facts: kubeadmFacts(),
			user:  map[string]any{"podCidr": "10.244.0.0/16", "flannel": map[string]any{"backend": "wireguard", "psk": "hush"}},
			want: []Setting{
				{"flannel.backend", "wireguard", "--set or --values"}, {"flannel.psk", "(not shown)", "--set or --values"},
				{"podCidr", "10.244.0.0/16", "from the cluster: kubeadm"},
			},
		},
		"where the cluster does not say it, a person may": {
			facts: kubeadmFacts(func(f *Facts) { f.Pods = Range{} }),
			user:  map[string]any{"podCidr": "10.244.0.0/16"},
			want:  []Setting{{"podCidr", "10.244.0.0/16", "--set or --values (the cluster does not say it)"}},
		},
		"values of a deployed release are kept, but for what is the cluster's": {
			facts: kubeadmFacts(installed(Deployed, map[string]any{"podCidr": "10.0.0.0/8", "flannel": map[string]any{"backend": "host-gw"}})),
			want:  []Setting{{"flannel.backend", "host-gw", "kept from release flannel"}, {"podCidr", "10.244.0.0/16", "from the cluster: kubeadm"}},
		},
		"null means the chart's own value, but never against the cluster": {
			facts: kubeadmFacts(installed(Deployed, map[string]any{"flannel": map[string]any{"image": map[string]any{"tag": "bad"}, "mtu": 1400.0}})),
			user:  map[string]any{"podCidr": nil, "global": nil, "flannel": map[string]any{"image": map[string]any{"tag": nil}}},
			want:  []Setting{{"flannel.mtu", 1400.0, "kept from release flannel"}, {"podCidr", "10.244.0.0/16", "from the cluster: kubeadm"}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Decide(c.facts, Request{CNI: "flannel", Values: c.user})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Settings); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecidePicksAction(t *testing.T) {
	values := map[string]any{"podCidr": "10.244.0.0/16"}
	chart := func(version, digest string) *Chart { return &Chart{Name: "flannel", Version: version, Digest: digest} }
	cases := map[string]struct {
		facts   Facts
		req     Request
		loaded  *Chart // what settle is given; nil: the chart is not to be read
		action  Action
		because string
		source  Source
	}{
		"nothing is there: install the pinned version": {
			facts: kubeadmFacts(), loaded: chart("v0.28.4", ""), action: Install, because: "no release",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"a path has the version it has": {
			facts: kubeadmFacts(), req: Request{Chart: "./x.tgz"}, loaded: chart("v1", ""), action: Install, because: "no release",
			source: Source{Chart: "./x.tgz", Name: "flannel"},
		},
		"a tagged reference too": {
			facts: kubeadmFacts(), req: Request{Chart: "oci://h:5000/c/flannel:v1"}, loaded: chart("v1", ""), action: Install, because: "no release",
			source: Source{Chart: "oci://h:5000/c/flannel:v1", Name: "flannel"},
		},
		"another repository is asked for the pinned version": {
			facts: kubeadmFacts(), req: Request{Chart: "oci://h:5000/c/flannel"}, loaded: chart("v0.28.4", ""), action: Install, because: "no release",
			source: Source{Chart: "oci://h:5000/c/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"a deployed release is not upgraded without being asked": {
			facts: kubeadmFacts(installed(Deployed, values)), action: Keep, because: "has this chart (v0.27.0)",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.27.0"},
		},
		"another version is an upgrade": {
			facts: kubeadmFacts(installed(Deployed, values)), req: Request{Version: "0.28.4"}, loaded: chart("v0.28.4", "new"),
			action: Upgrade, because: "v0.27.0 → v0.28.4", source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "0.28.4"},
		},
		"the same chart by path is nothing to do": {
			facts: kubeadmFacts(installed(Deployed, values)), req: Request{Chart: "/c"}, loaded: chart("v0.27.0", "old"),
			action: Keep, because: "has this chart", source: Source{Chart: "/c", Name: "flannel"},
		},
		"the same version with other templates is an upgrade": {
			facts: kubeadmFacts(installed(Deployed, values)), req: Request{Chart: "/c"}, loaded: chart("v0.27.0", "edited"),
			action: Upgrade, because: "other contents", source: Source{Chart: "/c", Name: "flannel"},
		},
		"other values are an upgrade, of the version that is there": {
			facts:  kubeadmFacts(installed(Deployed, values)),
			req:    Request{Values: map[string]any{"flannel": map[string]any{"mtu": int64(1400)}}},
			loaded: chart("v0.27.0", "old"), action: Upgrade, because: "values change: flannel.mtu",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.27.0"},
		},
		"a failed first install is gone on from": {
			facts: kubeadmFacts(installed(Failed, nil)), loaded: chart("v0.28.4", ""), action: Upgrade, because: "revision 1 of the release failed",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"so is one that was killed": {
			facts: kubeadmFacts(installed(PendingInstall, nil)), loaded: chart("v0.28.4", ""), action: Upgrade, because: "half-made (pending-install)",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"the record of an uninstalled one is replaced": {
			facts: kubeadmFacts(installed(Uninstalled, nil)), loaded: chart("v0.28.4", ""), action: Replace, because: "uninstalled",
			source: Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.req.CNI = "flannel"
			got, err := Decide(c.facts, c.req)
			if err != nil {
				t.Fatal(err)
			}
			if got.read != (c.loaded != nil) {
				t.Errorf("the chart is to be read: %v", got.read)
			}
			if diff := cmp.Diff(c.source, got.Source); diff != "" {
				t.Error(diff)
			}
			if c.loaded != nil {
				if err := got.settle(*c.loaded); err != nil {
					t.Fatal(err)
				}
			}
			if got.Action != c.action || !strings.Contains(got.Because, c.because) {
				t.Errorf("%s because %q, want %s because %q", got.Action, got.Because, c.action, c.because)
			}
		})
	}
}
