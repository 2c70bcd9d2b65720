// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// needsOf says what a network needs of its hosts: as the catalogue says, or, for one
// that can only be recognised, what all know of it; none for one that is not known.
func needsOf(name string) catalogue.Host {
	if n, known := network(name); known {
		return n.Host
	}
	n, _ := networks.Find(name)
	return catalogue.Host{Conflist: n.Conflist, Modules: n.Modules, Ports: n.Ports}
}

// The modules of the kernel that hosts are asked for.
const (
	netfilter   = "br_netfilter"
	openVSwitch = "openvswitch"
)

// needsModule says whether a network needs a module of the kernel.
func needsModule(module string) func(catalogue.Host) bool {
	return func(h catalogue.Host) bool { return slices.Contains(h.Modules, module) }
}

// Ports are those that a host is asked for, so that one that another program has taken
// is found.
func Ports() []int {
	var out []int
	for _, n := range catalogue.Networks() {
		for _, p := range n.Host.Ports {
			out = append(out, p.Number)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TakesNodeCIDRs says whether a network takes its addresses from the nodes' pod CIDRs:
// by its own word where it has several ways (Cilium).
func TakesNodeCIDRs(name, ipam string) bool {
	n, _ := networks.Find(name)
	return n.NodeCIDRs || name == "cilium" && ipam == "kubernetes"
}

// Without is what hosts will have for their network once another is cleaned off them:
// neither its file nor its ports stand in the way of the next.
func Without(hosts []wire.HostNetwork, gone string) []wire.HostNetwork {
	its := needsOf(gone)
	out := slices.Clone(hosts)
	for i, h := range out {
		out[i].Configs = slices.DeleteFunc(slices.Clone(h.Configs), func(c wire.NetConfig) bool { return c.File == its.Conflist })
		out[i].Listeners = slices.DeleteFunc(slices.Clone(h.Listeners), func(l wire.Listener) bool {
			return slices.ContainsFunc(its.Ports, func(p networks.Port) bool {
				return p.Number == l.Port && strings.EqualFold(p.Protocol, l.Proto)
			})
		})
	}
	return out
}
