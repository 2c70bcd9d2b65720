// SPDX-License-Identifier: Apache-2.0

package host

import "testing"

func TestACopyOfADiskIsNotTheMachine(t *testing.T) {
	was := Signs{Board: "b1", MACs: []string{"m1", "m2"}, MachineID: "id"}
	for name, tc := range map[string]struct {
		was, now Signs
		another  bool
	}{
		"the same":                    {was, was, false},
		"its disk in another machine": {was, Signs{Board: "b2", MACs: []string{"m3"}, MachineID: "id"}, true},
		"its disk in a machine without a board's number": {was, Signs{MACs: []string{"m3"}, MachineID: "id"}, true},
		"a new network card":                             {was, Signs{Board: "b1", MACs: []string{"m3"}, MachineID: "id"}, false},
		"a new board, the cards are the old ones":        {was, Signs{Board: "b2", MACs: []string{"m2", "m9"}, MachineID: "id"}, false},
		"a container that was given a new machine-id":    {Signs{Board: "b1", MachineID: "id"}, Signs{Board: "b1", MachineID: "new"}, false},
		"nothing but the machine-id, and it differs":     {Signs{MachineID: "id"}, Signs{MachineID: "new"}, true},
		"nothing but the machine-id, and it is the same": {Signs{MachineID: "id"}, Signs{MachineID: "id"}, false},
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
