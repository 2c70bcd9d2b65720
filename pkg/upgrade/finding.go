// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Severity is how bad a finding is.
type Severity string

// The severities, from the worst.
const (
	// Error: the upgrade would fail, or break something.
	Error Severity = "error"
	// Warning: it may.
	Warning Severity = "warning"
	// Note: it is worth knowing.
	Note Severity = "note"
)

// Finding is one thing that was found.
type Finding struct {
	ID       string
	Severity Severity
	// What is one sentence, Evidence what it was seen by, Cure the way out.
	What, Evidence, Cure string
	Nodes                []string
	// Blocks says that the upgrade is refused for it.
	Blocks bool
}

// check finds one kind of thing that stands in the way of a target.
type check func(f Facts, target Version) []Finding

// checks are all, in no order.
func checks() []check {
	return []check{tooFar, back, kubelets, mixed, leftOut, absentPlanes, lone, configVersion, sockets, proxyMode, etcdBefore, backends,
		endings,
		kubeletFlags, requested, networks, unread, unready, cordoned, prerelease}
}

// Check says what stands in the way of a target: the worst first, then by id.
func Check(f Facts, target Version) []Finding {
	var all []Finding
	for _, find := range checks() {
		all = append(all, find(f, target)...)
	}
	rank := func(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), strings.Compare(a.ID, b.ID), strings.Compare(a.What, b.What))
	})
	return all
}

// names are the nodes that fit, in their order.
func (f Facts) names(fits func(Node) bool) (names []string) {
	for _, n := range f.Nodes {
		if fits(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// planes are the control planes.
func (f Facts) planes() []string { return f.names(func(n Node) bool { return n.ControlPlane }) }

// each makes a finding of every group of nodes, by what is said of them, in its order.
func each(groups map[string][]string, make func(what string, nodes []string) Finding) (all []Finding) {
	for _, what := range sorted(groups) {
		all = append(all, make(what, groups[what]))
	}
	return all
}

func sorted[V any](m map[string]V) []string {
	keys := []string{}
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func nodes(names []string) string {
	return text.Choose(len(names) == 1, "node ", "nodes ") + text.Some(names)
}
