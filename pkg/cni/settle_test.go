// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestSettleRefusesAnotherChart(t *testing.T) {
	inst, err := Decide(kubeadmFacts(), Request{CNI: "flannel", Chart: "/c", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	for says, chart := range map[string]Chart{
		"/c is the chart cilium, not flannel": {Name: "cilium", Version: "v1"},
		"has version v2, not v1":              {Name: "flannel", Version: "v2"},
	} {
		if err := inst.settle(chart); err == nil || !strings.Contains(err.Error(), says) || plan.ClassOf(err) != plan.Refused {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestDecideNotes(t *testing.T) {
	got, err := Decide(kubeadmFacts(func(f *Facts) {
		f.Proxy.CIDRs = cidrs("10.0.0.0/8")
		f.DNS = DNS{}
		f.Nodes[1].OS = "windows"
	}), Request{CNI: "flannel"})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(got.Notes, "\n")
	for _, want := range []string{"kube-proxy has clusterCIDR 10.0.0.0/8", "node b runs windows", "no CoreDNS"} {
		if !strings.Contains(all, want) {
			t.Errorf("no note %q in %q", want, all)
		}
	}
}
