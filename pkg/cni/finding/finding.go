// SPDX-License-Identifier: Apache-2.0

package finding

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Severity is how bad a finding is.
type Severity string

// The severities, from the worst.
const (
	// Error: some pods have no network, or will have none.
	Error Severity = "error"
	// Warning: it may be so, or something else suffers.
	Warning Severity = "warning"
	// Note: it is worth knowing, and nothing is to be done about the network.
	Note Severity = "note"
)

// Finding is one pitfall that was found.
type Finding struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	// What is one sentence, Evidence what it was seen by, Cure the way out.
	What     string `json:"what"`
	Evidence string `json:"evidence,omitempty"`
	Cure     string `json:"cure,omitempty"`
	// Nodes are the nodes that it is about; none if it is about the cluster.
	Nodes []string `json:"nodes,omitempty"`
	// Blocks says that an installation is refused for it.
	Blocks bool `json:"blocks,omitempty"`
}

// String is the finding in one line, without the way out.
func (f Finding) String() string {
	line := fmt.Sprintf("%s %s: %s", f.ID, f.Severity, f.What)
	if f.Evidence != "" {
		line += " (" + f.Evidence + ")"
	}
	return line
}

// Input is all that a check may look at.
type Input struct {
	facts.Facts
	// Objects are those that the facts were made of, Pods what the pods show; both
	// may be empty.
	Objects facts.Objects
	Pods    facts.Pods
	// Wanted is the network that is to be installed; the zero value says that none
	// is.
	Wanted Wanted
	// Hosts are the hosts that were looked at.
	Hosts []wire.HostNetwork
	// Words are the last words of agents that crash, by "namespace/pod"; Sandboxes
	// what kubelets say of pods for which they could make no network.
	Words     map[string]string
	Sandboxes []Sandbox
	// MissingSecrets are pull secrets of agents that are not there: "namespace/name".
	MissingSecrets []string
}

// Wanted is a network that is to be installed.
type Wanted struct {
	CNI string
	// Pool is where its pods' addresses will come from; none if from the nodes' pod
	// CIDRs, or not known.
	Pool []netip.Prefix
	// IPAM is who will give out addresses, in its own word; empty if not known.
	IPAM string
	// ReplacesProxy says that it will do kube-proxy's work.
	ReplacesProxy bool
	// OperatorReplicas is how many pods its operator will have; 0 if not known.
	OperatorReplicas int
	// Labels are those that nodes must have for its databases.
	Labels map[string]string
}

// Sandbox is a pod for which a kubelet could make no network, and when it has said so last; zero if
// that is not known.
type Sandbox struct {
	Node, Pod, Message string
	At                 time.Time
}

// check finds one kind of pitfall.
type check func(Input) []Finding

// checks are all, in no order.
func checks() []check {
	return []check{
		noPodCIDRs, nodesWithout, otherPool, overlaps, sharedPodCIDRs, livePool, missingAddresses,
		secondNetwork, sameTwice, endings, managedElsewhere, halfMade, proxyMissing, proxyTwice, kernels, databaseLabels, absent, records,
		expectedPending, unanswered, oldPods, misplaced, twins, lostWatch, crashes, unpulled, unschedulable, missingSecrets, failedSandboxes,
		staleConfigs, missingPlugins, noNetfilter, pluginDir, noSwitch, takenPorts, missingConfDir,
	}
}

// All finds everything that is wrong, or may be: the worst first, then by id.
func All(in Input) []Finding {
	var all []Finding
	for _, find := range checks() {
		all = append(all, find(in)...)
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), strings.Compare(a.ID, b.ID), strings.Compare(a.What, b.What))
	})
	return slices.CompactFunc(all, func(a, b Finding) bool { return a.ID == b.ID && a.What == b.What })
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Blocking are the findings for which an installation is refused.
func Blocking(all []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(all), func(f Finding) bool { return !f.Blocks })
}

// Bad says whether any of them is more than a note.
func Bad(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.Severity != Note })
}

// names are the networks that checks are about: the one that is wanted, else those
// that are there.
func (in Input) names() []string {
	if in.Wanted.CNI != "" {
		return []string{in.Wanted.CNI}
	}
	var names []string
	for _, n := range in.Networks {
		names = append(names, n.CNI)
	}
	return names
}

// linux are the nodes that the network is for.
func (in Input) linux() []facts.Node {
	return slices.DeleteFunc(slices.Clone(in.Nodes), func(n facts.Node) bool { return n.OS != "linux" })
}

// network is the catalogue's entry of a name, if it has one.
func network(name string) (catalogue.Network, bool) {
	i := slices.IndexFunc(catalogue.Networks(), func(n catalogue.Network) bool { return n.Name == name })
	if i < 0 {
		return catalogue.Network{}, false
	}
	return catalogue.Networks()[i], true
}

// nodes is "node a" or "nodes a, b and 3 more".
func nodes(names []string) string {
	if len(names) == 1 {
		return "node " + names[0]
	}
	return "nodes " + text.Some(names)
}

// verb is the form of a verb for so many subjects.
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// grouper puts findings together that say the same of several nodes.
type grouper struct {
	order []string
	nodes map[string][]string
}

func (g *grouper) add(why, node string) {
	if g.nodes == nil {
		g.nodes = map[string][]string{}
	}
	if _, seen := g.nodes[why]; !seen {
		g.order = append(g.order, why)
	}
	g.nodes[why] = append(g.nodes[why], node)
}

// each makes a finding of every reason and the nodes that it holds for.
func (g *grouper) each(make func(why string, nodes []string) Finding) []Finding {
	var out []Finding
	for _, why := range g.order {
		f := make(why, g.nodes[why])
		f.Nodes = g.nodes[why]
		out = append(out, f)
	}
	return out
}
