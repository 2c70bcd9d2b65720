// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/networks"
)

// Scope limits what is taken away to what one owner has made, on a host that stays a node:
// all else of Kubernetes' stays as foreign things do. The zero value is everything.
type Scope struct {
	Owner Owner `json:"owner,omitempty"`
}

// Networks are the pod networks whose leftovers can be taken off a host that stays a node,
// and the names that they give to their CNI networks.
func Networks() map[Owner]string {
	out := map[Owner]string{}
	for _, n := range networks.Known() {
		if n.CNI != "" {
			out[Owner(n.Name)] = n.CNI
		}
	}
	return out
}

// Limited says that it is not everything.
func (s Scope) Limited() bool { return s.Owner != "" }

// Known reports whether there is such an owner whose things can be told from the rest.
func (s Scope) Known() bool {
	_, network := Networks()[s.Owner]
	return network || s.Owner == KubeProxy
}

// Network is the pod network that it is limited to; empty for kube-proxy and for
// everything.
func (s Scope) Network() Owner {
	if _, network := Networks()[s.Owner]; network {
		return s.Owner
	}
	return ""
}

// Takes reports whether things of an owner are in it. What the standard plugins make for
// a network is in it as far as the network's name is on it.
func (s Scope) Takes(owner Owner) bool {
	return !s.Limited() || owner == s.Owner || owner == CNIPlugins && s.Network() != ""
}

// TakesLink is Takes for links. The bridge cni0 has no network's name on it: of the networks
// that are known, flannel alone has the standard plugins make it.
func (s Scope) TakesLink(owner Owner) bool {
	if owner == CNIPlugins && s.Limited() {
		return s.Owner == Flannel
	}
	return s.Takes(owner)
}

// TakesNetwork reports whether a CNI network is in it, by its name; known are the names of
// all pod networks.
func (s Scope) TakesNetwork(name string, known []string) bool {
	if !s.Limited() {
		return slices.Contains(known, name)
	}
	own, is := Networks()[s.Owner]
	return is && own == name
}

// AnothersNetwork reports whether the name of a CNI network is the one that another pod
// network than the scope's gives to its own. A name that is not known may be the scope's own.
func (s Scope) AnothersNetwork(name string) bool {
	for owner, its := range Networks() {
		if owner != s.Owner && its == name {
			return s.Network() != ""
		}
	}
	return false
}

// Spare lets everything stay that is not in it.
func (s Scope) Spare(items []Item) []Item {
	for i := range items {
		if items[i].Fate == Goes && !s.Takes(items[i].Owner) {
			items[i] = s.spared(items[i])
		}
	}
	return items
}

func (s Scope) spared(it Item) Item {
	it.Fate, it.Why, it.Manner, it.Turn, it.Original = Stays, s.Why(), "", "", ""
	return it
}

// Why says why a thing stays that is not in it.
func (s Scope) Why() string { return "not made by " + string(s.Owner) }

// NetworkOrder tells a host which network is to be taken off it.
type NetworkOrder struct {
	Order
	Scope
	// Agents are the beginnings of the names of its agents: "kube-flannel/kube-flannel-ds-".
	// While one runs here, nothing is taken away.
	Agents []string `json:"agents,omitempty"`
	// Waiting are pods that may lose the network: CoreDNS' own, which wait for the next one.
	Waiting []string `json:"waiting,omitempty"`
	// WithPods goes on although pods run in the network, which lose it.
	WithPods bool `json:"withPods,omitempty"`
	// DryRun only looks.
	DryRun bool `json:"dryRun,omitempty"`
}

// NetworkAnswer is what a host says of a network that is to be taken off it.
type NetworkAnswer struct {
	// Objects are the things that go, or have gone, in their order.
	Objects []Item `json:"objects"`
	// Pods run in the network, Agents are its own.
	Pods   []string `json:"pods,omitempty"`
	Agents []string `json:"agents,omitempty"`
	// Verdict is that of the second look; of a dry run it has only what could not be read.
	Verdict Verdict `json:"verdict,omitzero"`
}
