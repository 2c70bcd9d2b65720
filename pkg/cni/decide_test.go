// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// kubeadmFacts is a healthy kubeadm cluster without a network.
func kubeadmFacts(change ...func(*facts.Facts)) facts.Facts {
	f := facts.Facts{
		Pods:     facts.Range{CIDRs: cnitest.CIDRs("10.244.0.0/16"), Source: "kubeadm"},
		Services: facts.Range{CIDRs: cnitest.CIDRs("10.96.0.0/12"), Source: "kubeadm"},
		Proxy:    facts.Proxy{Present: true, CIDRs: cnitest.CIDRs("10.244.0.0/16")},
		Nodes: []facts.Node{
			{Name: "a", OS: "linux", ControlPlane: true, PodCIDRs: cnitest.CIDRs("10.244.0.0/24"),
				Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}},
			{Name: "b", OS: "linux", PodCIDRs: cnitest.CIDRs("10.244.1.0/24"), Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.3")}},
		},
		DNS: facts.DNS{Name: "coredns", Desired: 2},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

// installed adds a release and its agents.
func installed(status release.Status, values map[string]any) func(*facts.Facts) {
	return func(f *facts.Facts) {
		f.Networks = []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel",
			ReleaseNamespace: "kube-flannel"}}
		f.Releases = []release.Release{{Name: "flannel", Namespace: "kube-flannel", Revision: 1, Status: status, Version: "v0.27.0",
			Digest: "old", Values: values}}
	}
}

// twice adds agents from manifests, on both nodes.
func twice(f *facts.Facts) {
	for i := range f.Networks {
		f.Networks[i].Desired, f.Networks[i].Writes = 2, true
	}
	f.Networks = append(f.Networks, facts.Network{CNI: "flannel", Namespace: "kube-system", DaemonSet: "kube-flannel-ds-amd64", Desired: 2,
		Writes: true})
}

func TestDecideRefuses(t *testing.T) {
	cases := map[string]struct {
		facts facts.Facts
		req   Request
		class plan.Class
		says  string
		hint  string
	}{
		"a network it does not know, with those it does": {
			req: Request{CNI: "romana"}, class: plan.Misused, says: `unknown network "romana"`, hint: "known: cilium",
		},
		"a network that nobody maintains, with why": {
			req: Request{CNI: "weave"}, says: "no release since 2.8.1", hint: "maintained: cilium",
		},
		"a cluster that kubeadm did not make, by name": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Foreign = "k3s" }), says: "this is a k3s cluster",
		},
		"a second network beside a first": {
			facts: kubeadmFacts(func(f *facts.Facts) {
				f.Networks = []facts.Network{{CNI: "calico", Namespace: "calico-system", DaemonSet: "calico-node"}}
			}),
			says: "CNI004 error: flannel is to be installed, and the cluster has a network already: calico (daemonset calico-system/calico-node)",
			hint: "kubectl lifecycle cni uninstall calico",
		},
		"the same network applied by hand": {
			facts: kubeadmFacts(func(f *facts.Facts) {
				f.Networks = []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds"}}
			}),
			says: "not from a Helm release", hint: "--adopt",
		},
		"the same network from a release and from manifests": {
			facts: kubeadmFacts(installed(release.Deployed, nil), twice), says: "flannel is here twice",
			hint: "kubectl -n kube-system delete daemonset kube-flannel-ds-amd64",
		},
		"the same network twice, one of which is to be adopted": {
			facts: kubeadmFacts(twice, func(f *facts.Facts) {
				f.Networks = append(f.Networks, facts.Network{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Desired: 2,
					Writes: true})
			}), req: Request{Adopt: true}, says: "flannel is here twice", hint: "keep one of them",
		},
		"a network that Flux puts back": {
			facts: kubeadmFacts(installed(release.Deployed, nil), func(f *facts.Facts) {
				f.Networks[0].Managed = []managedby.Release{{Tool: managedby.FluxHelm, Name: "net", Namespace: "flux-system"}}
			}),
			says: "CNI020 error: flannel is managed by", hint: "explain CNI020",
		},
		"a host with another network's file first": {
			facts: kubeadmFacts(), req: Request{Hosts: []wire.HostNetwork{{Node: "a", ConfDir: "/etc/cni/net.d", Netfilter: true,
				Plugins: []string{"bridge", "host-local", "loopback", "portmap", "cilium-cni"},
				Configs: []wire.NetConfig{{File: "05-cilium.conflist", Types: []string{"cilium-cni"}}}}}},
			says: "CNI005 error: on node a the runtime takes /etc/cni/net.d/05-cilium.conflist", hint: "rm /etc/cni/net.d/05-cilium.conflist",
		},
		"flannel without kube-proxy": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Proxy.Present = false }), says: "needs kube-proxy", hint: "kubeadm init phase addon " +
				"kube-proxy",
		},
		"a cluster without a pod CIDR": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Pods, f.Proxy.CIDRs, f.Nodes = facts.Range{}, nil, nil }),
			says:  "pod CIDR of this cluster is not set", hint: "--cluster-cidr=",
		},
		"a cluster that gives out pod CIDRs without saying from where": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Pods, f.Proxy.CIDRs = facts.Range{}, nil }),
			says:  "pod CIDR of this cluster is not set", hint: "node a has 10.244.0.0/24: name the whole range",
		},
		"nodes to which no pod CIDR was given": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Nodes[0].PodCIDRs, f.Nodes[1].PodCIDRs = nil, nil }),
			says:  "CNI001 error: no node has a pod CIDR", hint: "--allocate-node-cidrs=true",
		},
		"a value that contradicts the cluster": {
			facts: kubeadmFacts(), req: Request{Values: map[string]any{"podCidr": "10.224.0.0/16"}},
			says: "CNI002 error: value podCidr=10.224.0.0/16 contradicts the cluster, whose pods are in 10.244.0.0/16", hint: "leave podCidr out",
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
			facts: kubeadmFacts(func(f *facts.Facts) { f.Services.CIDRs = cnitest.CIDRs("10.244.128.0/20") }),
			says:  "CNI003 error: the pods' CIDR 10.244.0.0/16 (kubeadm) overlaps the Services' 10.244.128.0/20",
		},
		"a node whose address is a pod's": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Nodes[1].Addresses = []netip.Addr{netip.MustParseAddr("10.244.7.7")} }),
			says:  "CNI003 error: node b has the address 10.244.7.7",
		},
		"a node whose pod CIDR is outside of the cluster's": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Nodes[1].PodCIDRs = cnitest.CIDRs("10.1.1.0/24") }),
			says:  "CNI002 error: node b has the pod CIDR 10.1.1.0/24, which is not in 10.244.0.0/16",
		},
		"a person's range that does not hold the nodes'": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Pods = facts.Range{} }), req: Request{Values: map[string]any{"podCidr": "10.50.0.0/16"}},
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
		facts facts.Facts
		user  map[string]any
		want  []values.Setting
	}{
		"the pod CIDR is the cluster's": {
			facts: kubeadmFacts(),
			want:  []values.Setting{{Path: "podCidr", Value: "10.244.0.0/16", Reason: "from the cluster: kubeadm"}},
		},
		"a dual-stack cluster has both": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Pods.CIDRs = cnitest.CIDRs("fd00:10:244::/56", "10.244.0.0/16") }),
			want: []values.Setting{{Path: "podCidr", Value: "10.244.0.0/16", Reason: "from the cluster: kubeadm"},
				{Path: "podCidrv6", Value: "fd00:10:244::/56", Reason: "from the cluster: kubeadm"}},
		},
		"with IPv6 alone the chart's IPv4 default is emptied": {
			facts: kubeadmFacts(func(f *facts.Facts) {
				f.Pods.CIDRs = cnitest.CIDRs("fd00:10:244::/56")
				f.Nodes = nil
			}),
			want: []values.Setting{{Path: "podCidr", Value: "", Reason: "there are no IPv4 pods: kubeadm"},
				{Path: "podCidrv6", Value: "fd00:10:244::/56", Reason: "from the cluster: kubeadm"}},
		},
		"a person's values go along, secrets unseen": {
			facts: kubeadmFacts(),
			user:  map[string]any{"podCidr": "10.244.0.0/16", "flannel": map[string]any{"backend": "wireguard", "psk": "hush"}},
			want: []values.Setting{
				{Path: "flannel.backend", Value: "wireguard", Reason: "--set or --values"}, {Path: "flannel.psk", Value: "(not shown)",
					Reason: "--set or --values"},
				{Path: "podCidr", Value: "10.244.0.0/16", Reason: "from the cluster: kubeadm"},
			},
		},
		"where the cluster does not say it, a person may": {
			facts: kubeadmFacts(func(f *facts.Facts) { f.Pods = facts.Range{} }),
			user:  map[string]any{"podCidr": "10.244.0.0/16"},
			want:  []values.Setting{{Path: "podCidr", Value: "10.244.0.0/16", Reason: "--set or --values (the cluster does not say it)"}},
		},
		"values of a deployed release are kept, but for what is the cluster's": {
			facts: kubeadmFacts(installed(release.Deployed, map[string]any{"podCidr": "10.0.0.0/8",
				"flannel": map[string]any{"backend": "host-gw"}})),
			want: []values.Setting{{Path: "flannel.backend", Value: "host-gw", Reason: "kept from release flannel"},
				{Path: "podCidr", Value: "10.244.0.0/16", Reason: "from the cluster: kubeadm"}},
		},
		"null means the chart's own value, but never against the cluster": {
			facts: kubeadmFacts(installed(release.Deployed, map[string]any{"flannel": map[string]any{"image": map[string]any{"tag": "bad"},
				"mtu": 1400.0}})),
			user: map[string]any{"podCidr": nil, "global": nil, "flannel": map[string]any{"image": map[string]any{"tag": nil}}},
			want: []values.Setting{{Path: "flannel.mtu", Value: 1400.0, Reason: "kept from release flannel"},
				{Path: "podCidr", Value: "10.244.0.0/16", Reason: "from the cluster: kubeadm"}},
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
	given := map[string]any{"podCidr": "10.244.0.0/16"}
	read := func(version, digest string) *chart.Chart {
		return &chart.Chart{Name: "flannel", Version: version, Digest: digest}
	}
	cases := map[string]struct {
		facts   facts.Facts
		req     Request
		loaded  *chart.Chart // what settle is given; nil: the chart is not to be read
		action  release.Action
		because string
		source  chart.Source
	}{
		"nothing is there: install the pinned version": {
			facts: kubeadmFacts(), loaded: read("v0.28.4", ""), action: release.Install, because: "no release",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"a path has the version it has": {
			facts: kubeadmFacts(), req: Request{Chart: "./x.tgz"}, loaded: read("v1", ""), action: release.Install, because: "no release",
			source: chart.Source{Chart: "./x.tgz", Name: "flannel"},
		},
		"a tagged reference too": {
			facts: kubeadmFacts(), req: Request{Chart: "oci://h:5000/c/flannel:v1"}, loaded: read("v1",
				""), action: release.Install, because: "no release",
			source: chart.Source{Chart: "oci://h:5000/c/flannel:v1", Name: "flannel"},
		},
		"another repository is asked for the pinned version": {
			facts: kubeadmFacts(), req: Request{Chart: "oci://h:5000/c/flannel"}, loaded: read("v0.28.4",
				""), action: release.Install, because: "no release",
			source: chart.Source{Chart: "oci://h:5000/c/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"a deployed release is not upgraded without being asked": {
			facts: kubeadmFacts(installed(release.Deployed, given)), action: release.Keep, because: "has this chart (v0.27.0)",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.27.0"},
		},
		"another version is an upgrade": {
			facts: kubeadmFacts(installed(release.Deployed, given)), req: Request{Version: "0.28.4"}, loaded: read("v0.28.4", "new"),
			action: release.Upgrade, because: "v0.27.0 → v0.28.4", source: chart.Source{Chart: "https://flannel-io.github.io/flannel",
				Name: "flannel", Version: "0.28.4"},
		},
		"the same chart by path is nothing to do": {
			facts: kubeadmFacts(installed(release.Deployed, given)), req: Request{Chart: "/c"}, loaded: read("v0.27.0", "old"),
			action: release.Keep, because: "has this chart", source: chart.Source{Chart: "/c", Name: "flannel"},
		},
		"the same version with other templates is an upgrade": {
			facts: kubeadmFacts(installed(release.Deployed, given)), req: Request{Chart: "/c"}, loaded: read("v0.27.0", "edited"),
			action: release.Upgrade, because: "other contents", source: chart.Source{Chart: "/c", Name: "flannel"},
		},
		"other values are an upgrade, of the version that is there": {
			facts:  kubeadmFacts(installed(release.Deployed, given)),
			req:    Request{Values: map[string]any{"flannel": map[string]any{"mtu": int64(1400)}}},
			loaded: read("v0.27.0", "old"), action: release.Upgrade, because: "values change: flannel.mtu",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.27.0"},
		},
		"a failed first install is gone on from": {
			facts: kubeadmFacts(installed(release.Failed, nil)), loaded: read("v0.28.4",
				""), action: release.Upgrade, because: "revision 1 of the release failed",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"so is one that was killed": {
			facts: kubeadmFacts(installed(release.PendingInstall, nil)), loaded: read("v0.28.4",
				""), action: release.Upgrade, because: "half-made (pending-install)",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
		},
		"the record of an uninstalled one is replaced": {
			facts: kubeadmFacts(installed(release.Uninstalled, nil)), loaded: read("v0.28.4", ""), action: release.Replace, because: "uninstalled",
			source: chart.Source{Chart: "https://flannel-io.github.io/flannel", Name: "flannel", Version: "v0.28.4"},
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
