// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxSlowest is how many budgets an estimate names.
const maxSlowest = 3

// Estimate is how long a drain would take, between bounds that rest on what was
// seen.
type Estimate struct {
	// AtLeast is with replacements as fast as they usually were, and pods that
	// stop at once.
	AtLeast float64 `json:"atLeastSeconds"`
	// UpTo is with replacements as slow as they ever were, and pods that use all
	// of their grace. 0 if there is no saying.
	UpTo float64 `json:"upToSeconds,omitempty"`
	// Unbounded says that something is waited for whose end nothing tells: a kubelet that
	// has stopped to report, a webhook or a policy that may deny evictions.
	Unbounded bool `json:"unbounded,omitempty"`
	// Rests says what the bounds rest on.
	Rests []string `json:"rests"`
	// Slowest are the budgets that take longest, the slowest first.
	Slowest []BudgetTime `json:"slowest,omitempty"`
}

// BudgetTime is how long one budget takes for its pods: (⌈Pods/Allowed⌉−1) times
// a replacement, and the last pod's stop.
type BudgetTime struct {
	Budget  string  `json:"budget"`
	Pods    int     `json:"pods"`
	Allowed int     `json:"allowed"`
	AtLeast float64 `json:"atLeastSeconds"`
	UpTo    float64 `json:"upToSeconds,omitempty"`
}

// quick is the least that a drain takes: pods stop at once, and successors are
// as fast as they usually were. Where none was seen, they take no time.
func (v *view) quick(i int) (gone, back time.Duration) {
	pace, _ := v.paceOf(i)
	return 0, pace.Usual
}

// slow is the most: pods use all of their grace, and successors are as slow as
// they ever were. A StatefulSet waits with the successor until the pod is gone.
func (v *view) slow(i int) (gone, back time.Duration) {
	pace, _ := v.paceOf(i)
	gone, back = graceOf(v.pods[i], v.opts), pace.Slowest
	if ordered(v.going[i].Owners) {
		back += gone
	}
	return gone, back
}

// ordered reports whether a successor comes only when the pod is gone.
func ordered(o drain.Owners) bool { return len(o) > 0 && o[0].Kind != "ReplicaSet" }

func (v *view) paceOf(i int) (Pace, bool) {
	owners := v.going[i].Owners
	if len(owners) == 0 {
		return Pace{}, false
	}
	pace, known := v.Paces[owners[0].UID]
	return pace, known
}

// toll is what one budget costs.
type toll struct {
	BudgetTime
	slow, quick time.Duration // of one replacement
	stop        time.Duration
	unknown     bool
	owners      string
	seen        int
	// surged is true if the first of its pods has to wait for one more than there were.
	surged bool
}

// rounds is how often its pods have to wait for replacements.
func (t toll) rounds() int {
	if t.Allowed <= 0 {
		return 0
	}
	return (t.Pods+t.Allowed-1)/t.Allowed - 1 + map[bool]int{true: 1}[t.surged]
}

// estimate walks twice more, against two clocks.
func (v *view) estimate(f *Forecast) Estimate {
	e := Estimate{AtLeast: v.late(v.quick, false).run().end.Seconds()}
	upTo := v.late(v.slow, true).run().end
	tolls := v.tolls(f)
	var unknown []string
	for _, t := range tolls {
		if t.unknown && t.rounds() > 0 {
			unknown = append(unknown, t.owners)
		}
		t.AtLeast = (time.Duration(t.rounds()) * t.quick).Seconds()
		if !t.unknown {
			t.UpTo = (time.Duration(t.rounds())*t.slow + t.stop).Seconds()
		}
		if len(e.Slowest) < maxSlowest && t.rounds() > 0 {
			e.Slowest = append(e.Slowest, t.BudgetTime)
		}
	}
	denied := !v.opts.DisableEviction && v.Admission.MayDenyEvictions(v.decision)
	e.Unbounded = denied || len(f.Unconfirmed) > 0
	if len(unknown) == 0 && !e.Unbounded {
		e.UpTo = upTo.Seconds()
	}
	e.Rests = v.rests(tolls, unknown, f)
	if denied {
		e.Rests = append(e.Rests, "it is unknown how long evictions are denied, if they are: webhooks and policies decide")
	}
	return e
}

// tolls are what the budgets cost by the pods that leave under them, the dearest
// first.
func (v *view) tolls(f *Forecast) []toll {
	byName := map[string]*toll{}
	var names []string
	wave := map[drain.Pod]int{}
	for _, p := range f.Pods {
		wave[p.Pod] = p.Wave
	}
	for i, verdict := range v.going {
		if v.gates[i] != pdb.Spend || wave[verdict.Pod] == 0 {
			continue
		}
		budget := v.match[i][0]
		name := budget.Namespace + "/" + budget.Name
		if v.asksNoBudget(i) {
			name = budget.Name
		}
		t := byName[name]
		if t == nil {
			t = &toll{BudgetTime: BudgetTime{Budget: name, Allowed: int(budget.Status.DisruptionsAllowed)}}
			byName[name] = t
			names = append(names, name)
		}
		pace, known := v.paceOf(i)
		gone, slow := v.slow(i)
		t.Pods++
		t.surged = t.surged || v.surged(i)
		if !known {
			t.unknown = true
		}
		if t.owners == "" || slow > t.slow {
			t.owners, t.seen = verdict.Owners.String(), pace.Pods
		}
		t.slow, t.stop, t.quick = max(t.slow, slow), max(t.stop, gone), max(t.quick, pace.Usual)
	}
	out := make([]toll, 0, len(names))
	for _, name := range names {
		out = append(out, *byName[name])
	}
	cost := func(t toll) time.Duration { return time.Duration(t.rounds()) * max(t.slow, 1) }
	slices.SortStableFunc(out, func(a, b toll) int { return int(cost(b) - cost(a)) })
	return out
}

// rests says what the bounds rest on.
func (v *view) rests(tolls []toll, unknown []string, f *Forecast) []string {
	var longest time.Duration
	for i := range v.going {
		gone, _ := v.slow(i)
		longest = max(longest, gone)
	}
	var out []string
	if len(v.going) > 0 {
		out = append(out, fmt.Sprintf("a pod stops at once, or uses all of its grace period (%s at most here)", longest))
	}
	for i, t := range tolls {
		if i == maxSlowest || t.rounds() == 0 {
			break
		}
		if !t.unknown {
			out = append(out, fmt.Sprintf("pods of %s were Ready %s after their creation (median of %d; the slowest, with the wait before it: %s)",
				t.owners, t.quick, t.seen, t.slow))
		}
	}
	if len(unknown) > 0 {
		out = append(out, "it is unknown how long replacements take of "+text.Some(unknown)+": none was seen to become Ready")
	}
	if len(f.Unconfirmed) > 0 {
		out = append(out, "it is unknown when a kubelet reports again that has stopped: "+text.Some(f.Unconfirmed))
	}
	if len(tolls) > 0 {
		out = append(out, "a node that has to pull an image first may take longer")
	}
	if kept := f.Kept(); kept > 0 {
		out = append(out, strings.Replace(fmt.Sprintf("only what leaves: %d pods would be kept", kept), "1 pods", "1 pod", 1))
	}
	return out
}
