// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"strings"
	"testing"
)

func TestAnOutcomeIsReadFromTheWorstToTheLeast(t *testing.T) {
	o := Outcome{Report: Report{
		Findings: []Finding{
			{ID: "PREP102-holds", Severity: Notes, Text: "not held: kubelet", WayOut: "apt-mark hold kubelet"},
			{ID: "PREP010-swap", Severity: Blocks, Text: "swap is on: /dev/sda2", Changes: []Change{{Kind: SwapOff, Name: "/dev/sda2"}}},
		},
		Unread: []string{"PREP061-firewall: no such program"},
	}}
	got := strings.Join(o.Lines(Order{}), "\n")
	want := `blocks  PREP010-swap              swap is on: /dev/sda2
        would turn swap off: /dev/sda2
notes   PREP102-holds             not held: kubelet
        apt-mark hold kubelet
not checked: PREP061-firewall: no such program
37 checks: 0 found nothing, 2 findings, 1 change would be made (nothing was changed)`
	if got != want {
		t.Errorf("got\n%s", got)
	}
	if !strings.Contains(Order{}.Next(o), "--yes") || strings.Contains(Order{Apply: true}.Next(o), "--yes") {
		t.Error("the way out")
	}
}

func TestAnUndoSaysWhatItKeeps(t *testing.T) {
	o := Outcome{Undone: []Undone{{"set sysctl a = 1", ""}, {"write /etc/x", "something else has changed it since"}}}
	if got := strings.Join(o.Lines(Order{Undo: true, Apply: true}), "\n"); got !=
		"undone: set sysctl a = 1\nkept: write /etc/x (something else has "+
			"changed it since)" {
		t.Errorf("%s", got)
	}
	if got := (Outcome{}).Lines(Order{Undo: true}); len(got) != 1 || !strings.Contains(got[0], "nothing to undo") {
		t.Errorf("%q", got)
	}
}

// TestAHostCannotAnswerWithoutEnd: what a host sends is shown to a person.
func TestAHostCannotAnswerWithoutEnd(t *testing.T) {
	long := Outcome{Made: []string{strings.Repeat("x", 9<<10)}}
	many := Outcome{Report: Report{Checked: make([]string, 2000)}}
	deep := Outcome{Report: Report{Findings: []Finding{{Changes: make([]Change, 2000)}}}}
	for _, o := range []Outcome{long, many, deep} {
		if o.Bounded(1000, 8<<10) == nil {
			t.Error("no error")
		}
	}
	if err := (Outcome{Made: []string{"x"}}).Bounded(1000, 8<<10); err != nil {
		t.Error(err)
	}
}
