// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestAVerdictSaysTheSameInLittleRoom(t *testing.T) {
	small := inventory.Verdict{
		State: inventory.Clean, Backup: "/var/backups/x", Blocking: []string{"port 10250 is in use"},
		Lost: []inventory.Item{{Kind: inventory.KindRoute, Name: "10.0.0.0/8 via 192.0.2.1", Fate: inventory.Stays, Why: "not ours"}},
	}
	if diff := cmp.Diff(small, small.Brief()); diff != "" {
		t.Errorf("a small one is changed (-want +got):\n%s", diff)
	}
	for name, item := range map[string]inventory.Item{
		"routes without end":  {Kind: inventory.KindRoute, Name: "10.0.0.0/8 via 192.0.2.1", Fate: inventory.Stays},
		"names without end":   {Kind: inventory.KindMount, Name: strings.Repeat("/x<&>", 10_000), Detail: strings.Repeat("\x1b", 10_000)},
		"names in characters": {Kind: inventory.KindMount, Name: strings.Repeat("界", 4000), Why: strings.Repeat("\u202e", 100)},
	} {
		big := inventory.Verdict{State: inventory.Dirty}
		for i := range 20_000 {
			it := item
			it.ID = fmt.Sprint(i)
			big.Remaining, big.Lost, big.Changed = append(big.Remaining, it), append(big.Lost, it), append(big.Changed, it)
			big.AfterReboot, big.Harmless = append(big.AfterReboot, it), append(big.Harmless, it)
			big.Blocking = append(big.Blocking, it.Name)
			big.Unchecked = append(big.Unchecked, inventory.Unchecked{What: it.Name, Why: it.Detail})
		}
		brief := big.Brief()
		raw, err := json.Marshal(brief)
		if err != nil || len(raw) > 96<<10 || strings.ContainsAny(string(raw), "\x1b\u202e") {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
		for what, n := range map[string]int{
			"remaining": len(brief.Remaining), "lost": len(brief.Lost), "changed": len(brief.Changed), "after a reboot": len(brief.AfterReboot),
			"harmless": len(brief.Harmless), "blocking": len(brief.Blocking), "unchecked": len(brief.Unchecked),
		} {
			if n == 0 || n > 1001 {
				t.Errorf("%s, %s: %d", name, what, n)
			}
		}
		last := brief.Remaining[len(brief.Remaining)-1]
		if want := fmt.Sprintf("%d more", 20_000-len(brief.Remaining)+1); last.Name != want || brief.State != inventory.Dirty {
			t.Errorf("%s: it ends in %q, want %q; %s", name, last.Name, want, brief.State)
		}
	}
}

// However little room there is, and however often it is made smaller, a verdict says how many
// things there are.
func TestAVerdictCountsTheSameInLittleRoom(t *testing.T) {
	for name, tc := range map[string]struct{ refer, unseen, more int }{
		"few of each": {2, 3, 0}, "many of each": {1500, 1200, 0}, "many that refer": {5000, 0, 0}, "many that were not seen": {0, 5000, 0},
		"some stand for more": {1500, 1500, 40},
	} {
		v := inventory.Verdict{State: inventory.CleanBut}
		for i := range tc.refer {
			v.But = append(v.But, inventory.Item{Kind: inventory.KindFile, Name: fmt.Sprint("/a/", i), Refers: "its endpoint",
				Why: strings.Repeat("x", 200)})
		}
		for i := range tc.unseen {
			v.But = append(v.But, inventory.Item{Kind: inventory.KindDir, Name: fmt.Sprint("/b/", i), Refers: inventory.NotLookedAt + "too much"})
		}
		if tc.more > 0 {
			v.But = append(v.But, inventory.Item{Kind: inventory.KindDir, Name: "more", Refers: inventory.NotLookedAt + "too much", Count: tc.more})
		}
		brief := v.Brief()
		for what, made := range map[string]inventory.Verdict{"once": brief, "twice": brief.Brief()} {
			if made.Summary() != v.Summary() {
				t.Errorf("%s, made brief %s: %s, want %s", name, what, made.Summary(), v.Summary())
			}
		}
		if refer, unseen := brief.Referring(); inventory.Things(refer) != tc.refer || inventory.Things(unseen) != tc.unseen+tc.more {
			t.Errorf("%s: %d refer, %d were not seen", name, inventory.Things(refer), inventory.Things(unseen))
		}
	}
}
