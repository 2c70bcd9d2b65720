// SPDX-License-Identifier: Apache-2.0

package host

import "testing"

func TestACopyOfADiskIsNotTheMachine(t *testing.T) {
	was := Signs{Board: "b1", MACs: []string{"m1", "m2"}}
	for name, tc := range map[string]struct {
		was, now Signs
		another  bool
	}{
		"the same":                    {was, was, false},
		"its disk in another machine": {was, Signs{Board: "b2", MACs: []string{"m3"}}, true},
		"its disk in a machine without a board's number": {was, Signs{MACs: []string{"m3"}}, true},
		"a new network card":                             {was, Signs{Board: "b1", MACs: []string{"m3"}}, false},
		"a new board, the cards are the old ones":        {was, Signs{Board: "b2", MACs: []string{"m2", "m9"}}, false},
		"a container, of which nothing can be compared":  {Signs{}, Signs{}, false},
		"nothing was written down":                       {Signs{}, was, false},
		"nothing can be read":                            {was, Signs{}, false},
	} {
		by, another := tc.was.Another(tc.now)
		if another != tc.another || another != (by != "") {
			t.Errorf("%s: %v, %q", name, another, by)
		}
	}
}

func TestANumberThatBoardsShareIsNone(t *testing.T) {
	for raw, want := range map[string]string{
		"4C4C4544-0042\n": "4c4c4544-0042", "10000000abcd\x00": "10000000abcd", "": "",
		"00000000-0000-0000-0000-000000000000": "", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n": "", "03000200-0400-0500-0006-000700080009": "",
	} {
		if got := board(raw); got != want {
			t.Errorf("%q: %q", raw, got)
		}
	}
}

func TestTheSignsOfThisMachineAreItsOwn(t *testing.T) {
	if by, another := (Local{}).Signs().Another(Local{}.Signs()); another {
		t.Errorf("another machine by %s", by)
	}
}
