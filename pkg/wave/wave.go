// SPDX-License-Identifier: Apache-2.0

package wave

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Rollout is work on many nodes.
type Rollout struct {
	// Groups go one after the other.
	Groups []Group
	// MaxFailures is how many nodes may fail before no further wave is begun; zero
	// means any number.
	MaxFailures int
}

// Group is nodes that are treated alike.
type Group struct {
	// Nodes are in the order in which they go.
	Nodes []string
	// Limit is how many of them are in a wave, at least one.
	Limit int
	// Before is done once for all nodes of the group; nil for nothing.
	Before All
	Stages []Stage
}

// Stage is a part of the work: Each or All.
type Stage struct {
	// Each works on one node; those of a wave are worked on side by side.
	Each func(ctx context.Context, node string) error
	// All works on those of a wave together.
	All All
}

// All works on several nodes together, and returns why it failed on which. A node
// that the result does not name goes on.
type All func(ctx context.Context, nodes []string) map[string]error

// State is how far a node has come.
type State string

// The states.
const (
	// NotBegun: its turn did not come.
	NotBegun State = "not begun"
	// Failed: a stage failed, or was interrupted.
	Failed State = "failed"
	// Done: it came through all stages.
	Done State = "done"
)

// Outcome is a row of the table: what became of one node.
type Outcome struct {
	Node  string
	State State
	// Err is why it failed; nil in other states.
	Err error
	// Took is the time since its wave began; zero for one that was not begun.
	Took time.Duration
}

// Waves divides nodes into waves. It is pure.
func Waves(nodes []string, limit int) [][]string {
	return slices.Collect(slices.Chunk(nodes, max(limit, 1)))
}

// stops decides, by how many nodes have failed, whether no further wave is begun. It
// is pure.
func (r Rollout) stops(failed int) bool { return r.MaxFailures > 0 && failed >= r.MaxFailures }

// Run does the work and returns the table: a row for each node, in their order.
func (r Rollout) Run(ctx context.Context) []Outcome {
	t := &table{rows: map[string]*Outcome{}}
	for _, g := range r.Groups {
		t.add(g.Nodes)
	}
	for _, g := range r.Groups {
		if ctx.Err() != nil || r.stops(t.failed()) {
			break
		}
		if g.Before != nil && len(g.Nodes) > 0 {
			t.note(g.Before(ctx, slices.Clone(g.Nodes)), time.Now())
		}
		for _, nodes := range Waves(g.Nodes, g.Limit) {
			if ctx.Err() != nil || r.stops(t.failed()) {
				break
			}
			t.wave(ctx, nodes, g.Stages)
		}
	}
	return t.list()
}

// table is what has become of the nodes so far.
type table struct {
	mu    sync.Mutex
	order []string
	rows  map[string]*Outcome
}

func (t *table) add(nodes []string) {
	for _, node := range nodes {
		if t.rows[node] == nil {
			t.order = append(t.order, node)
			t.rows[node] = &Outcome{Node: node, State: NotBegun}
		}
	}
}

func (t *table) list() []Outcome {
	out := make([]Outcome, 0, len(t.order))
	for _, node := range t.order {
		out = append(out, *t.rows[node])
	}
	return out
}

func (t *table) failed() (n int) {
	for _, row := range t.rows {
		if row.State == Failed {
			n++
		}
	}
	return n
}

// note writes down on which nodes something failed.
func (t *table) note(errs map[string]error, began time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for node, err := range errs {
		if row := t.rows[node]; row != nil && err != nil {
			row.State, row.Err, row.Took = Failed, err, time.Since(began)
		}
	}
}

// wave takes nodes through the stages. Those that have failed before take no part.
func (t *table) wave(ctx context.Context, nodes []string, stages []Stage) {
	began := time.Now()
	for i, stage := range stages {
		left := slices.DeleteFunc(slices.Clone(nodes), func(node string) bool { return t.rows[node].State == Failed })
		switch err := context.Cause(ctx); {
		case len(left) == 0:
			return
		case err != nil && i == 0:
			return // nothing has begun
		case err != nil:
			t.note(same(left, err), began)
			return
		case stage.All != nil:
			t.note(stage.All(ctx, left), began)
		default:
			t.each(ctx, left, stage.Each, began)
		}
	}
	for _, node := range nodes {
		if row := t.rows[node]; row.State != Failed {
			row.State = Done
			row.Took = max(row.Took, time.Since(began))
		}
	}
}

// each works on nodes side by side.
func (t *table) each(ctx context.Context, nodes []string, do func(context.Context, string) error, began time.Time) {
	var group sync.WaitGroup
	for _, node := range nodes {
		group.Go(func() {
			err := do(ctx, node)
			t.note(map[string]error{node: err}, began)
			if err == nil {
				t.mu.Lock()
				defer t.mu.Unlock()
				t.rows[node].Took = time.Since(began)
			}
		})
	}
	group.Wait()
}

func same(nodes []string, err error) map[string]error {
	errs := map[string]error{}
	for _, node := range nodes {
		errs[node] = err
	}
	return errs
}
