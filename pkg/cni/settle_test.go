// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestSettleRefusesAnotherChart(t *testing.T) {
	inst, err := Decide(kubeadmFacts(), Request{CNI: "flannel", Chart: "/c", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	for says, other := range map[string]chart.Chart{
		"/c is the chart cilium, not flannel": {Name: "cilium", Version: "v1"},
		"has version v2, not v1":              {Name: "flannel", Version: "v2"},
	} {
		if err := inst.settle(other); err == nil || !strings.Contains(err.Error(), says) || plan.ClassOf(err) != plan.Refused {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestDecideNotes(t *testing.T) {
	got, err := Decide(kubeadmFacts(func(f *facts.Facts) {
		f.Proxy.CIDRs = cnitest.CIDRs("10.0.0.0/8")
		f.DNS = facts.DNS{}
		f.Nodes[1].OS = "windows"
	}), Request{CNI: "flannel"})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(append(got.Notes, said(got)), "\n")
	for _, want := range []string{"CNI002 warning: kube-proxy takes 10.0.0.0/8 for the pods' range", "node b runs windows", "no CoreDNS"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note %q in %q", want, all)
		}
	}
}

func TestNodesThatCanNeverBeServedAreSaidBefore(t *testing.T) {
	full := func(f *facts.Facts) {
		f.Pods.CIDRs, f.Proxy.CIDRs = cnitest.CIDRs("10.244.0.0/23"), cnitest.CIDRs("10.244.0.0/23")
		f.Nodes = append(f.Nodes, facts.Node{Name: "c", OS: "linux", Grown: true})
	}
	for name, c := range map[string]struct {
		facts facts.Facts
		want  string
	}{
		"a range that is full": {kubeadmFacts(full),
			"CNI019 error: pods on node c get no addresses: it has no pod CIDR (the range 10.244.0.0/23 is full: it holds 2 of /24, and all are " +
				"given out)"},
		"nobody who gives any out": {
			kubeadmFacts(func(f *facts.Facts) { f.Nodes = append(f.Nodes, facts.Node{Name: "c", OS: "linux", Grown: true}) }),
			"CNI019 error: pods on node c get no addresses: it has no pod CIDR (kube-controller-manager gives none out",
		},
		"one that is new may still get one": {kubeadmFacts(func(f *facts.Facts) {
			f.Nodes = append(f.Nodes,
				facts.Node{Name: "c", OS: "linux"})
		}), ""},
		"a family that one node lacks": {
			kubeadmFacts(func(f *facts.Facts) {
				f.Pods.CIDRs = cnitest.CIDRs("10.244.0.0/16", "fd00::/56")
				f.Proxy.CIDRs = f.Pods.CIDRs
				f.Nodes[0].PodCIDRs = cnitest.CIDRs("10.244.0.0/24", "fd00::/64")
				f.Nodes[1].Grown = true
			}), "CNI019 error: pods on node b get no addresses: it has no pod CIDR of IPv6",
		},
		"a dead one is not waited for": {kubeadmFacts(func(f *facts.Facts) { f.Nodes[1].Absent = "NotReady" }),
			"CNI022 note: node b is not served, and not waited for (NotReady)"},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := Decide(c.facts, Request{CNI: "flannel"})
			if err != nil {
				t.Fatal(err)
			}
			if got := said(inst); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("findings %q, want %q", got, c.want)
			}
		})
	}
	for name, other := range map[string]string{"the same": "10.244.0.0/24", "one within": "10.244.0.64/26"} {
		t.Run("pod CIDRs that overlap are refused: "+name, func(t *testing.T) {
			_, err := Decide(kubeadmFacts(func(f *facts.Facts) { f.Nodes[1].PodCIDRs = cnitest.CIDRs(other) }), Request{CNI: "flannel"})
			if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "overlap") ||
				!strings.Contains(err.Error(), "a (10.244.0.0/24)") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// said are the findings, one a line.
func said(inst Installation) string {
	var lines []string
	for _, f := range inst.Findings {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

func TestDecideRefusesForAFinding(t *testing.T) {
	_, err := Decide(kubeadmFacts(func(f *facts.Facts) { f.Endpoint = "10.96.0.9:6443" }), Request{CNI: "flannel"})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "CNI003 error: Services (10.96.0.0/12) and API server") ||
		!strings.Contains(plan.HintOf(err), "cni explain CNI003") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	managed := func(f *facts.Facts) {
		f.Networks = []facts.Network{{CNI: "flannel", Namespace: "kube-flannel", DaemonSet: "kube-flannel-ds", Release: "flannel",
			ReleaseNamespace: "kube-flannel", Managed: []managedby.Release{{Tool: managedby.FluxHelm, Name: "flannel", Namespace: "flux"}}}}
	}
	_, err = Decide(kubeadmFacts(managed), Request{CNI: "flannel"})
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(),
		"CNI020 error: flannel is managed by") {
		t.Error(err)
	}
}
