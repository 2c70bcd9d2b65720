// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"strings"
	"testing"
)

func TestALineBreakIsInNoCommand(t *testing.T) {
	for name, tc := range map[string]struct{ paragraph, whole string }{
		"at the end": {"see whether the host runs and reaches the API server; if it is lost: kubectl lifecycle remove worker-1 --node-lost",
			"kubectl lifecycle remove worker-1 --node-lost"},
		"in the middle": {"see whether the host runs and reaches the server, then: systemctl status kubelet; if it is lost, tell the others",
			"systemctl status kubelet;"},
		"in brackets": {"look at it before you delete anything that may be another's, wherever it is (kubectl -n kube-system get pods) and ask",
			"(kubectl -n kube-system get pods)"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			p := &page{NewSheet(&out)}
			p.item("    ", tc.paragraph)
			if !strings.Contains(out.String(), tc.whole) || strings.Join(strings.Fields(out.String()), " ") != tc.paragraph {
				t.Errorf("the command is broken, or a word is lost:\n%s", out.String())
			}
			for line := range strings.Lines(out.String()) {
				if len(line) > pageWidth+1 {
					t.Errorf("too long: %s", line)
				}
			}
		})
	}
	if got := Fill("see: kubectl "+strings.Repeat("word ", 40)+"end, or not", 76); len(got) != 3 {
		t.Errorf("a command that is longer than a line: %q", got)
	}
}

func TestALineThatIsTooLongIsDividedBetweenItsWords(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"one that fits":               {"node/w1 drained", "node/w1 drained"},
		"one that is exactly as long": {"123456789 123456789 123456789 ", "123456789 123456789 123456789 "},
		"a sentence":                  {"one two three four five six seven eight", "one two three four five six\n  seven eight"},
		"one with an indent":          {"  one two three four five six seven", "  one two three four five six\n    seven"},
		"a step, below its words":     {"  1. one two three four five six seven", "  1. one two three four five\n     six seven"},
		"a note, below its words":     {"  · one two three four five six seven", "  · one two three four five\n    six seven"},
		"a mark in colour": {"\x1b[32m✓ \x1b[0mone two three four five six seven",
			"\x1b[32m✓ \x1b[0mone two three four five six\n  seven"},
		"columns keep their spaces": {"a    b    one two three four five six", "a    b    one two three four\n          five six"},
		"a word that is longer":     {"1234567890123456789012345678901234 x", "1234567890123456789012345678901234\n  x"},
		"a command is whole": {"see why: kubectl get pods -A -o wide --watch",
			"see why:\n  kubectl get pods -A -o wide --watch"},
		"and what follows it is not":          {"it: kubectl get pods -A, or all of them", "it: kubectl get pods -A, or\n  all of them"},
		"several lines, each by itself":       {"a\none two three four five six seven", "a\none two three four five six\n  seven"},
		"a question keeps the space after it": {"This takes node w12 out. Go on: ", "This takes node w12 out. Go\n  on: "},
	} {
		if got := Hung(c.line, 30); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", name, got, c.want)
		}
		if got := Hung(c.line, 0); got != c.line {
			t.Errorf("%s, and no terminal: %q", name, got)
		}
	}
}

func TestATableFitsATerminal(t *testing.T) {
	rows := [][]string{{"NODE", "OUTCOME", "WHY"}, {"worker-1", "removed", ""},
		{"worker-2", "failed", "the disk is full, and nothing can be written to it any more"}}
	for name, c := range map[string]struct {
		columns int
		want    string
	}{
		"no terminal": {0, "NODE       OUTCOME   WHY\nworker-1   removed   \n" +
			"worker-2   failed    the disk is full, and nothing can be written to it any more\n"},
		"a wide one": {90, "NODE       OUTCOME   WHY\nworker-1   removed   \n" +
			"worker-2   failed    the disk is full, and nothing can be written to it any more\n"},
		"sentences are divided": {50, "NODE       OUTCOME   WHY\nworker-1   removed\n" +
			"worker-2   failed    the disk is full, and nothing\n                     can be written to it any more\n"},
		"what does not fit beside the others goes below": {30, "NODE       OUTCOME\n           WHY\nworker-1   removed\n" +
			"worker-2   failed\n           the disk is full,\n           and nothing can be\n           written to it any\n           more\n"},
		"no terminal is as narrow as a word": {5, "NODE       OUTCOME   WHY\nworker-1   removed   \n" +
			"worker-2   failed    the disk is full, and nothing can be written to it any more\n"},
	} {
		var out strings.Builder
		if err := NewSheet(&out).Within(c.columns).Table(rows); err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out.String(), c.want)
		}
	}
}
