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
