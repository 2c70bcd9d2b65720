// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"slices"
	"testing"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
)

func TestBudgetsReturnWithTheReplacement(t *testing.T) {
	// Ten pods, one may go at a time; ten seconds to be replaced, one to stop.
	w := walk{nodes: []drain.NodeState{{Name: "w1"}}, limit: 1, allowed: []int{1}}
	for range 10 {
		w.pods = append(w.pods, walkPod{gate: pdb.Spend, account: 0, controller: -1, returns: true, ready: true, gone: time.Second,
			back: 10 * time.Second})
	}
	if got := w.run().end; got != 91*time.Second {
		t.Errorf("the end is after %s", got)
	}
	w.allowed[0] = 3
	if got := w.run().end; got != 31*time.Second {
		t.Errorf("with three at a time, the end is after %s", got)
	}
	for i := range w.pods {
		w.pods[i].returns = false
	}
	c := w.run()
	if kept := slices.DeleteFunc(c.steps, func(s step) bool { return s.left }); len(kept) != 7 || kept[0].kept != drain.CauseBudget {
		t.Errorf("without replacements, %d are kept: %v", len(kept), kept)
	}
}
