// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"container/heap"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
)

// walkPod is one pod on the walk.
type walkPod struct {
	node, stage int
	gate        pdb.Gate
	// account is the budget that it is charged to, and controller the workload that
	// is to be whole before the next pod of it leaves; -1 for none.
	account, controller int
	// leaving: it is under way already, whatever has the turn.
	leaving bool
	// ready: its controller has one Ready pod less when it goes.
	ready bool
	// returns is true if a successor becomes Ready, so that the budget has as
	// much to give as before.
	returns bool
	// gone and back are the times from its eviction until it is gone, and until
	// its successor is Ready.
	gone, back time.Duration
}

// walk is a drain on paper: every budget of a cluster over all nodes. The turns
// of nodes and stages are those of a drain (see turns), and so is the order in
// which pods take from a budget: that of the decision.
type walk struct {
	pods    []walkPod
	allowed []int // what each budget allows
	// opens says from when on it does, if there is any that does not at once.
	opens  []time.Duration
	nodes  []drain.NodeState
	limit  int
	byZone bool
	// oneByOne lets a controller lose one pod at a time only.
	oneByOne bool
}

// step is where a pod came to: when it left, or what keeps it for good.
type step struct {
	left bool
	at   time.Duration
	kept drain.Cause
}

// course is the outcome of a walk: a step for each pod, and when the last one is
// gone.
type course struct {
	steps []step
	end   time.Duration
}

// walker is a walk under way.
type walker struct {
	walk
	course
	now     time.Duration
	moves   moments
	allowed []int
	busy    map[int]bool // controllers that are not whole
	// atBudget and atController are the pods whose turn has come and that wait
	// for one of those.
	atBudget, atController map[int][]int
	byNode                 [][]int
	order                  []int // of nodes
	active                 []bool
	// live counts the pods of a node that are to be waited for, staged those of
	// a stage that are not gone.
	live, staged []int
	stage        int
	seen         []bool // pods whose turn has come
}

// moment is something that is going to happen.
type moment struct {
	at                 time.Duration
	gone, account, ctl int // a pod, a budget, a controller; -1 for none
}

// moments are sorted by their time.
type moments []moment

func (m moments) Len() int           { return len(m) }
func (m moments) Less(i, j int) bool { return m[i].at < m[j].at }
func (m moments) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }

// Push is for container/heap.
func (m *moments) Push(x any) { *m = append(*m, x.(moment)) }

// Pop is for container/heap.
func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// run walks until nothing is to happen any more.
func (w walk) run() course {
	r := newWalker(w)
	for i, p := range w.pods {
		if p.leaving {
			r.seen[i] = true
			r.leave(i)
		}
	}
	r.advance(nil)
	for len(r.moves) > 0 {
		r.now = r.moves[0].at
		woken, dirty := r.happen()
		if dirty {
			r.advance(woken)
		} else {
			r.admit(woken)
		}
	}
	r.explain()
	return r.course
}

func newWalker(w walk) *walker {
	r := &walker{
		walk: w, allowed: slices.Clone(w.allowed), busy: map[int]bool{},
		atBudget: map[int][]int{}, atController: map[int][]int{},
		byNode: make([][]int, len(w.nodes)), active: make([]bool, len(w.nodes)), live: make([]int, len(w.nodes)),
		seen: make([]bool, len(w.pods)), course: course{steps: make([]step, len(w.pods))},
	}
	for account, at := range w.opens {
		if at <= 0 {
			continue
		}
		r.allowed[account] = 0
		for range w.allowed[account] {
			heap.Push(&r.moves, moment{at: at, gone: -1, account: account, ctl: -1})
		}
	}
	for i := range w.nodes {
		r.order = append(r.order, i)
	}
	if w.byZone {
		slices.SortStableFunc(r.order, func(a, b int) int { return strings.Compare(w.nodes[a].Zone, w.nodes[b].Zone) })
	}
	for i, p := range w.pods {
		r.byNode[p.node] = append(r.byNode[p.node], i)
		r.live[p.node]++
		for len(r.staged) <= p.stage {
			r.staged = append(r.staged, 0)
		}
		r.staged[p.stage]++
	}
	return r
}

// happen lets all that happens now happen, and returns the pods that may go for
// it, and whether another node's or stage's turn may have come.
func (r *walker) happen() (woken []int, dirty bool) {
	for len(r.moves) > 0 && r.moves[0].at == r.now {
		m := heap.Pop(&r.moves).(moment)
		switch {
		case m.gone >= 0:
			p := r.pods[m.gone]
			r.live[p.node]--
			r.staged[p.stage]--
			dirty = dirty || r.live[p.node] == 0 || r.staged[p.stage] == 0
		case m.account >= 0:
			r.allowed[m.account]++
			woken = append(woken, r.atBudget[m.account]...)
			delete(r.atBudget, m.account)
		default:
			delete(r.busy, m.ctl)
			woken = append(woken, r.atController[m.ctl]...)
			delete(r.atController, m.ctl)
		}
	}
	return woken, dirty
}

// advance gives nodes and stages their turn until none has come, and admits
// the pods for which it has, together with those woken.
func (r *walker) advance(woken []int) {
	for {
		for r.stage < len(r.staged)-1 && r.staged[r.stage] == 0 {
			r.stage++
		}
		r.begin()
		for node, active := range r.active {
			if !active {
				continue
			}
			rest := r.byNode[node][:0:0]
			for _, i := range r.byNode[node] {
				if r.pods[i].stage > r.stage {
					rest = append(rest, i)
				} else if !r.seen[i] {
					r.seen[i] = true
					woken = append(woken, i)
				}
			}
			r.byNode[node] = rest
		}
		if len(woken) == 0 || !r.admit(woken) {
			return
		}
		woken = nil
	}
}

// begin lets the next nodes begin for those that are done (as turns.advance).
func (r *walker) begin() {
	busy, zone := 0, ""
	for _, n := range r.order {
		if r.active[n] && r.live[n] > 0 {
			busy++
			zone = r.nodes[n].Zone
		}
	}
	for _, n := range r.order {
		if r.active[n] || busy >= r.limit || r.byZone && busy > 0 && r.nodes[n].Zone != zone {
			continue
		}
		r.active[n] = true
		if r.live[n] > 0 {
			busy++
			zone = r.nodes[n].Zone
		}
	}
}

// admit lets those of the pods go that may, in the order of the decision, and
// reports whether a node has nothing left to wait for by that.
func (r *walker) admit(woken []int) (dirty bool) {
	slices.Sort(woken)
	for _, i := range woken {
		p := r.pods[i]
		switch {
		case p.controller >= 0 && r.busy[p.controller]:
			r.atController[p.controller] = append(r.atController[p.controller], i)
		case p.gate == pdb.Several:
			r.live[p.node]--
			dirty = dirty || r.live[p.node] == 0
		case p.gate == pdb.Free, p.gate == pdb.Spend && r.allowed[p.account] > 0:
			r.leave(i)
		default:
			r.atBudget[p.account] = append(r.atBudget[p.account], i)
		}
	}
	return dirty
}

// leave has a pod go now.
func (r *walker) leave(i int) {
	p := r.pods[i]
	r.steps[i] = step{left: true, at: r.now}
	r.end = max(r.end, r.now+p.gone)
	heap.Push(&r.moves, moment{at: r.now + p.gone, gone: i, account: -1, ctl: -1})
	if p.leaving {
		return
	}
	if p.gate == pdb.Spend {
		r.allowed[p.account]--
		if p.returns {
			heap.Push(&r.moves, moment{at: r.now + p.back, gone: -1, account: p.account, ctl: -1})
		}
	}
	if p.controller >= 0 && p.ready {
		r.busy[p.controller] = true
		if p.returns {
			heap.Push(&r.moves, moment{at: r.now + p.back, gone: -1, account: -1, ctl: p.controller})
			r.end = max(r.end, r.now+p.back)
		}
	}
}

// explain says what keeps the pods that did not leave.
func (r *walker) explain() {
	for i, p := range r.pods {
		switch {
		case r.steps[i].left:
		case !r.seen[i]:
			r.steps[i].kept = drain.CauseTurn
		case p.controller >= 0 && r.busy[p.controller]:
			r.steps[i].kept = drain.CauseReplacement
		case p.gate == pdb.Several:
			r.steps[i].kept = drain.CauseSeveralBudgets
		default:
			r.steps[i].kept = drain.CauseBudget
		}
	}
}
