// SPDX-License-Identifier: Apache-2.0

// Package envtest checks what commands write about hostile clusters and hosts.
//
//	Forged      a text that a terminal or a shell would obey
//	Harmless    fails where something of it was obeyed, or could be
//	Paste       runs a printed command in a shell without programs
package envtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Forged is a text that would move the cursor, turn the writing around, make
// lines that look like the program's own, and run a command where it is pasted.
const Forged = "w9; : > OWNED\n✓ FORGED\r\nerror: FORGED\nhint:  FORGED\nnode/FORGED removed\u2028✗ FORGED" +
	"\x1b[2J\x1b[1A\x1b]0;FORGED\a\u009b2K\u202eFORGED\u2066\u200b\x00\xff $(: > OWNED) `: > OWNED` ' : > OWNED ' \" : > OWNED \" & : > OWNED"

// AScreen are the codes that this program moves the cursor and colours with.
func AScreen() *regexp.Regexp {
	return regexp.MustCompile("\r\x1b\\[K|\x1b\\[1A\x1b\\[K|\x1b\\[[0-9]*m")
}

// Harmless checks everything that was written: nothing but what a person sees and
// line breaks, no line that is not the program's own, and each command one.
func Harmless(t *testing.T, what, written string) {
	t.Helper()
	if !strings.Contains(written, "FORGED") && !strings.Contains(written, "OWNED") {
		t.Errorf("%s shows nothing of the hostile text: the test tests nothing:\n%s", what, written)
	}
	written = AScreen().ReplaceAllString(written, "\n")
	for _, r := range written {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s prints %U: %q", what, r, written)
			break
		}
	}
	for line := range strings.Lines(written) {
		if yaml := strings.HasSuffix(what, "in YAML"); yaml && strings.HasPrefix(line, " ") {
			continue // it indents the lines of a text itself
		}
		if regexp.MustCompile(`^ {0,6}(✓|✗|…|error:|hint:|node/|Warning:) *FORGED`).MatchString(line) ||
			regexp.MustCompile(`^ *[✓✗] *FORGED`).MatchString(line) {
			t.Errorf("%s prints a line that is not its own: %q", what, line)
		}
		if regexp.MustCompile(`^ *(kubectl|helm|kubeadm|chmod) `).MatchString(line) {
			Paste(t, strings.TrimSpace(line))
		}
	}
}

// Paste runs a command in a shell that has no programs, only functions by their
// names that say how many words they got.
func Paste(t *testing.T, line string) (words string) {
	t.Helper()
	dir := t.TempDir()
	script := `kubectl() { echo "kubectl $#" >> words; }; helm() { echo "helm $#" >> words; }; kubeadm() { echo "kubeadm $#" >> words; }
chmod() { :; }
program() { echo "program $#" >> words; printf %s "$3" > facts; }
` + strings.Replace(line, "./lifecycle-node", "program", 1) + "\n"
	check := exec.CommandContext(t.Context(), "sh", "-n")
	check.Stdin = strings.NewReader(script)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sh does not understand %q: %s", line, out)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/nonexistent"}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%q: %v, %s", line, err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "OWNED")); err == nil {
		t.Errorf("%q runs a foreign command", line)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "words"))
	if err != nil || strings.Count(string(raw), "\n") != 1 {
		t.Errorf("%q runs %q", line, raw)
	}
	if facts, err := os.ReadFile(filepath.Join(dir, "facts")); err == nil && !json.Valid(facts) {
		t.Errorf("%q hands over %q", line, facts)
	}
	return strings.TrimSpace(string(raw))
}
