// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
)

// Signs lists how networks are recognised: those that can be installed, and those
// that can only be told apart from them. Canal comes before those it is made of.
func Signs() []facts.Sign {
	signs := composed()
	for _, n := range Networks() {
		n.Sign.CNI, n.Sign.Namespace = n.Name, n.AgentsIn(n.Namespace)
		signs = append(signs, n.Sign)
	}
	return append(signs, others()...)
}

// composed lists the networks that have other networks as parts.
func composed() []facts.Sign {
	return []facts.Sign{{CNI: "canal", DaemonSets: []string{"canal", "rke2-canal"}, Label: "k8s-app=canal"}}
}

// PartsOf are the networks that a network is made of: what these leave on hosts and on
// Nodes is that network's, too. Canal is flannel's links and routes with Calico's plugin
// and rules (docs.tigera.io, "Install Calico for policy and flannel for networking").
func PartsOf(cni string) []string {
	if cni == "canal" {
		return []string{"flannel", "calico"}
	}
	return nil
}

// ComposedOf are the networks that are made of a network, by their signs.
func ComposedOf(part string) []facts.Sign {
	return slices.DeleteFunc(composed(), func(s facts.Sign) bool { return !slices.Contains(PartsOf(s.CNI), part) })
}

// others lists the networks that cannot be installed here, as their charts and
// manifests of 2026 write them.
func others() []facts.Sign {
	return []facts.Sign{
		{CNI: "weave", DaemonSets: []string{"weave-net"}, Label: "name=weave-net", Images: []string{"weave-kube"}},
		{CNI: "kube-router", DaemonSets: []string{"kube-router"}, Label: "k8s-app=kube-router", Images: []string{"kube-router"}},
		{CNI: "kilo", DaemonSets: []string{"kilo"}, Label: "app.kubernetes.io/name=kilo", Images: []string{"squat/kilo"}},
		{CNI: "kindnet", DaemonSets: []string{"kindnet"}, Label: "app=kindnet", Images: []string{"kindnetd"}},
		{CNI: "aws-vpc-cni", DaemonSets: []string{"aws-node"}, Label: "k8s-app=aws-node", Images: []string{"amazon-k8s-cni"}},
	}
}
