// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
)

// waits are the times of clock, the longest first.
func (r *run) waits() []Wait {
	spans := map[string][]span{}
	for _, it := range r.items {
		if it.budget != nil && it.ours {
			name := pdb.Describe(it.budget).String()
			spans[name] = append(spans[name], span{it.since, it.goneAt, it.heldFor})
		}
	}
	var out []Wait
	for name, held := range r.held {
		if held.total > 0 {
			out = append(out, Wait{Budget: name, Seconds: held.total.Seconds(), Waves: waves(spans[name])})
		}
	}
	slices.SortFunc(out, func(a, b Wait) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Budget, b.Budget))
	})
	return out
}

// span is from the consent to a pod's eviction until it was gone; the latter is
// zero for one that is not. held is how long its budget had kept pods waiting by
// then.
type span struct {
	told, gone time.Time
	held       time.Duration
}

// waveGap is for how long a budget has to keep pods waiting after those of the
// first wave: an answer of the server's takes a moment, too.
const waveGap = 500 * time.Millisecond

// waves divides the pods under a budget into those that left together: the first
// wave are those that were told to go before the budget was waited for, and each
// after it is as large, since successors are never Ready all at once. A wave lasts
// until the next one begins, and the last one until all pods are gone.
func waves(spans []span) []float64 {
	slices.SortFunc(spans, func(a, b span) int { return a.told.Compare(b.told) })
	size := 0
	for size < len(spans) && spans[size].held-spans[0].held < waveGap {
		size++
	}
	var out []float64
	var began, last time.Time
	for i, s := range spans {
		if i%size == 0 {
			if i > 0 {
				out = append(out, s.told.Sub(began).Seconds())
			}
			began = s.told
		}
		if s.gone.After(last) {
			last = s.gone
		}
	}
	if last.After(began) && len(spans) > 0 {
		out = append(out, last.Sub(began).Seconds())
	}
	return out
}
