// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// running is a cluster whose Cilium was installed with these values.
func running(given map[string]any) facts.Facts {
	return kubeadmFacts(func(f *facts.Facts) {
		f.Networks = []facts.Network{{CNI: "cilium", Namespace: "kube-system", DaemonSet: "cilium", Release: "cilium",
			ReleaseNamespace: "kube-system"}}
		f.Releases = []release.Release{{Name: "cilium", Namespace: "kube-system", Revision: 1, Status: release.Deployed, Version: "1.19.1",
			Values: given}}
	})
}

func TestWhatAnOperatorHasMadeIsItsReleases(t *testing.T) {
	agents := func(f *facts.Facts) {
		f.Networks = []facts.Network{{CNI: "calico", Namespace: "calico-system", DaemonSet: "calico-node"}}
	}
	made := func(f *facts.Facts) {
		f.Releases = []release.Release{{Name: "calico", Namespace: "tigera-operator", Revision: 1, Status: release.Deployed, Version: "v3.32.1",
			Values: map[string]any{}}}
	}
	inst, err := Decide(kubeadmFacts(agents, made), Request{CNI: "calico"})
	if err != nil || inst.Action != release.Keep {
		t.Errorf("%v, %s because %s", err, inst.Action, inst.Because)
	}
	if _, err := Decide(kubeadmFacts(agents), Request{CNI: "calico"}); plan.ClassOf(err) != plan.Refused {
		t.Errorf("one that was applied by hand: %v", err)
	}
}

func TestAnAdoptedNetworkKeepsWhatItRunsWith(t *testing.T) {
	f := kubeadmFacts(func(f *facts.Facts) {
		f.Networks = []facts.Network{{CNI: "cilium", Namespace: "kube-system", DaemonSet: "cilium", Setting: facts.Setting{IPAM: "cluster-pool"}}}
	})
	if _, err := Decide(f, Request{CNI: "cilium"}); plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "--adopt") {
		t.Errorf("without a word: %v, hint %q", err, plan.HintOf(err))
	}
	inst, err := Decide(f, Request{CNI: "cilium", Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := values.Text(inst.values, "ipam.mode"); got != "cluster-pool" || inst.Action != release.Install || !inst.desired().Adopt {
		t.Errorf("mode %s, %s, adopted %v", got, inst.Action, inst.desired().Adopt)
	}
}

func TestARunningNetworkKeepsWhatItsPodsHaveTheirAddressesBy(t *testing.T) {
	ipam := func(mode string) map[string]any { return map[string]any{"ipam": map[string]any{"mode": mode}} }
	for name, c := range map[string]struct {
		facts  facts.Facts
		person map[string]any
		mode   string // of the values; empty: the chart's own
		note   string
		says   string
	}{
		"installed without a word of it: the chart's own stays": {facts: running(map[string]any{}), note: "ipam.mode stays cluster-pool"},
		"said before, stays":       {facts: running(ipam("cluster-pool")), mode: "cluster-pool", note: "ipam.mode stays cluster-pool"},
		"the same is no change":    {facts: running(ipam("kubernetes")), person: ipam("kubernetes"), mode: "kubernetes"},
		"asked for: refused":       {facts: running(map[string]any{}), person: ipam("kubernetes"), says: "runs with ipam.mode=cluster-pool"},
		"another mode: refused":    {facts: running(ipam("kubernetes")), person: ipam("multi-pool"), says: "never changed in a running network"},
		"a new network is free":    {facts: kubeadmFacts(), mode: "kubernetes"},
		"one that never ran, also": {facts: running(nil), mode: "kubernetes"},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := Decide(c.facts, Request{CNI: "cilium", Values: c.person})
			if c.says != "" {
				if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), c.says) || plan.HintOf(err) == "" {
					t.Errorf("%v, hint %q", err, plan.HintOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mode, _ := inst.values["ipam"].(map[string]any)
			if got := fmt.Sprint(mode["mode"]); got != c.mode && (c.mode != "" || mode["mode"] != nil) {
				t.Errorf("mode %s, want %s", got, c.mode)
			}
			if c.note != "" && !slices.ContainsFunc(inst.Notes, func(n string) bool { return strings.HasPrefix(n, c.note) }) {
				t.Errorf("no note %q in %q", c.note, inst.Notes)
			}
		})
	}
}
