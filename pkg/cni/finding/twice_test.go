// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/managedby"
)

// agent is a DaemonSet of flannel that runs on both nodes; release is "namespace/name".
func agent(namespace, name, release string, change ...func(*facts.Network)) facts.Network {
	n := facts.Network{CNI: "flannel", Namespace: namespace, DaemonSet: name, Desired: 2, Writes: true}
	if where, what, is := strings.Cut(release, "/"); is {
		n.Release, n.ReleaseNamespace = what, where
		n.Managed = []managedby.Release{{Tool: managedby.Helm, Name: what, Namespace: where}}
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

func on(nodes int32) func(*facts.Network) { return func(n *facts.Network) { n.Desired = nodes } }

func by(release managedby.Release) func(*facts.Network) {
	return func(n *facts.Network) { n.Managed = []managedby.Release{release} }
}

func TestTheSameNetworkTwice(t *testing.T) {
	older := agent("kube-system", "kube-flannel-ds-amd64", "")
	released := agent("kube-flannel", "kube-flannel-ds", "kube-flannel/flannel")
	const handDeleted = "delete what was applied as manifests: kubectl -n kube-system delete daemonset kube-flannel-ds-amd64. Leave the " +
		"ClusterRole and its binding: both may use the same. Then have the agents of the other write again: kubectl -n kube-flannel rollout " +
		"restart daemonset kube-flannel-ds"
	for name, c := range map[string]struct {
		networks []facts.Network
		what     string // empty: it is not there twice
		cure     string
	}{
		"once":                               {[]facts.Network{released}, "", ""},
		"by old manifests, and by a release": {[]facts.Network{released, older}, "twice", handDeleted},
		"by manifests in two namespaces": {[]facts.Network{agent("kube-flannel", "kube-flannel-ds", ""),
			agent("kube-system", "kube-flannel-ds", "")}, "twice", "keep one of them, the newer one as a rule, and remove the other: kubectl -n " +
			"kube-flannel delete daemonset kube-flannel-ds; or: kubectl -n kube-system delete daemonset kube-flannel-ds."},
		"by manifests in one namespace, before and after 0.13": {[]facts.Network{agent("kube-system", "kube-flannel-ds", ""),
			older}, "twice", "kubectl -n kube-system delete daemonset kube-flannel-ds-amd64"},
		"by two releases": {[]facts.Network{released, agent("net", "kube-flannel-ds", "net/pods")}, "twice",
			"helm -n kube-flannel uninstall flannel; or: helm -n net uninstall pods. Then"},
		"by a release whose name is an option": {[]facts.Network{released, agent("net", "kube-flannel-ds", "net/--debug")}, "twice",
			"or: uninstall Helm release --debug"},
		"by Argo CD and by Flux": {[]facts.Network{
			agent("kube-flannel", "kube-flannel-ds", "", by(managedby.Release{Tool: managedby.ArgoCD, Name: "net"})),
			agent("net", "kube-flannel-ds", "", by(managedby.Release{Tool: managedby.FluxHelm, Name: "pods", Namespace: "flux"})),
		}, "twice", "take daemonset kube-flannel/kube-flannel-ds out of Argo CD application net; or: take daemonset net/kube-flannel-ds out of"},
		"three times": {[]facts.Network{released, older, agent("net", "kube-flannel-ds", "")}, "3 times",
			"kubectl -n kube-system delete daemonset kube-flannel-ds-amd64, kubectl -n net delete daemonset kube-flannel-ds."},
		"one for each architecture": {[]facts.Network{agent("kube-system", "kube-flannel-ds-amd64", "", on(2)),
			agent("kube-system", "kube-flannel-ds-arm64", "", on(1))}, "", ""},
		"an old one on some of the nodes": {[]facts.Network{released,
			agent("kube-system", "kube-flannel-ds-arm64", "", on(1))}, "twice", ""},
		"an old one that runs nowhere": {[]facts.Network{released, agent("kube-system", "kube-flannel-ds-arm64", "", on(0))}, "", ""},
		"each on nodes of its own": {[]facts.Network{agent("a", "kube-flannel-ds", "", on(1)),
			agent("b", "kube-flannel-ds", "", on(1))}, "", ""},
		"a program with the agent's image": {[]facts.Network{released,
			agent("kube-system", "preflight", "", func(n *facts.Network) { n.Writes = false })}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Facts: facts.Facts{Nodes: input().Nodes, Networks: c.networks}}
			found := sameTwice(in)
			if len(found) == 0 != (c.what == "") {
				t.Fatalf("found %v", found)
			}
			if len(found) == 0 {
				return
			}
			f := found[0]
			if f.ID != "CNI004" || f.Blocks || !strings.Contains(f.What, "flannel is here "+c.what+":") || !strings.Contains(f.Cure, c.cure) {
				t.Errorf("%s\n%s", f, f.Cure)
			}
			for _, left := range halfMade(in) {
				t.Errorf("it advises to leave one of them: %s", left)
			}
			in.Wanted.CNI = "flannel"
			if refused := sameTwice(in); len(refused) != 1 || !refused[0].Blocks {
				t.Errorf("an installation goes on: %v", refused)
			}
		})
	}
}
