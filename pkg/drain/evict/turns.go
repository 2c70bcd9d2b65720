// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// turns decide whose pods may be asked for: only so many nodes at the same
// time, and the stages of an order one after the other.
type turns struct {
	order  []drain.NodeState
	limit  int
	byZone bool
	items  map[string][]*item // by node
	stages int
	all    []*item
	// active are the nodes whose turn it is.
	active map[string]bool
	// stage is the one whose turn it is.
	stage int
	// began and ended are the times of each node's turn.
	began, ended map[string]time.Time
}

func newTurns(nodes []drain.NodeState, items []*item, o drain.Options) *turns {
	t := &turns{byZone: o.OneZone, items: map[string][]*item{}, all: items, stages: len(o.Order), active: map[string]bool{}}
	t.began, t.ended = map[string]time.Time{}, map[string]time.Time{}
	t.order = slices.Clone(nodes)
	if t.byZone {
		slices.SortStableFunc(t.order, func(a, b drain.NodeState) int { return strings.Compare(a.Zone, b.Zone) })
	}
	t.limit, _ = o.Parallel(len(nodes)) // Evict has validated it
	for _, it := range items {
		t.items[it.Node] = append(t.items[it.Node], it)
	}
	return t
}

// advance lets the next nodes begin for those that are done, and the next stage
// when nothing of the one before is left. A node from which nothing can be
// taken as things are keeps no other waiting.
func (t *turns) advance(now time.Time) {
	t.stage = t.stages
	for _, it := range t.all {
		if !it.over() {
			t.stage = min(t.stage, it.Stage)
		}
	}
	busy, zone := 0, ""
	for _, n := range t.order {
		if t.active[n.Name] && !t.rests(n.Name) {
			busy++
			zone = n.Zone
		}
	}
	for _, n := range t.order {
		if t.active[n.Name] || busy >= t.limit || t.byZone && busy > 0 && n.Zone != zone {
			continue
		}
		t.active[n.Name], t.began[n.Name] = true, now
		if !t.rests(n.Name) {
			busy++
			zone = n.Zone
		}
	}
}

// gone notes that a pod of the node is gone.
func (t *turns) gone(node string, now time.Time) { t.ended[node] = now }

// last is when the last pod of any node went.
func (t *turns) last() time.Time {
	var at time.Time
	for _, ended := range t.ended {
		if ended.After(at) {
			at = ended
		}
	}
	return at
}

// took is the time from a node's turn until its last pod was gone.
func (t *turns) took(node string) time.Duration {
	if t.began[node].IsZero() || t.ended[node].Before(t.began[node]) {
		return 0
	}
	return t.ended[node].Sub(t.began[node])
}

// rests reports whether nothing is to be expected of the node's pods.
func (t *turns) rests(node string) bool {
	return !slices.ContainsFunc(t.items[node], func(it *item) bool {
		return !it.over() && (it.phase != waiting || it.said.cause != drain.CauseSeveralBudgets)
	})
}

// wait says why the item's turn has not come; empty if it has.
func (t *turns) wait(it *item) string {
	switch {
	case it.Stage > t.stage:
		return fmt.Sprintf("pods that come before it in the order (place %d of %d) are still there", t.stage+1, t.stages+1)
	case !t.active[it.Node]:
		return fmt.Sprintf("node %s has not had its turn: %d at the same time%s", it.Node, t.limit, text.Choose(t.byZone, ", of one zone", ""))
	}
	return ""
}
