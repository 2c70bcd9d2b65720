// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what is shown of one text.
const (
	// MaxLine is how many characters Line keeps.
	MaxLine = 1 << 10
	// MaxBlock is how many characters Block keeps.
	MaxBlock = 8 << 10
	// indent begins every line of a Block but the first, so that no line of it
	// can pass for one of the program's own.
	indent = "  | "
)

// Line makes a text one line that a terminal cannot obey: white space of any
// kind becomes single spaces, what is not printable goes (control and escape
// characters, bidi marks and other format characters, invalid UTF-8), and no
// more than MaxLine characters stay.
//
//	"a\n\x1b[2Jb"  →  "a [2Jb"
func Line(s string) string { return Short(s, MaxLine) }

// Short is Line with another bound. A text that is cut ends in "…"; a bound
// below one gives "".
func Short(s string, most int) string {
	s = bounded(s, most)
	var out strings.Builder
	length, space, cut := 0, false, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = out.Len() > 0
			continue
		}
		if !shown(r) {
			continue
		}
		if space {
			out.WriteByte(' ')
			length, space = length+1, false
		}
		out.WriteRune(r)
		if length++; length > most {
			cut = true
			break
		}
	}
	if cut {
		return shorten(out.String(), most)
	}
	return out.String()
}

// Block makes a text of several lines safe: each line is as Line makes it but
// keeps its inner spaces, empty lines go, later lines are indented by "  | ",
// and no more than MaxBlock characters stay. A text of one line stays one.
func Block(s string) string {
	s = bounded(s, MaxBlock)
	var lines []string
	length := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		if line = inner(line); line == "" {
			continue
		}
		if length += utf8.RuneCountInString(line); length > MaxBlock {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"+indent)
}

// inner makes one line safe and keeps the spaces between its words.
func inner(line string) string {
	line = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !shown(r):
			return -1
		}
		return r
	}, line)
	if utf8.RuneCountInString(line) > MaxLine {
		line = shorten(line, MaxLine)
	}
	return strings.TrimSpace(line)
}

// shown reports whether a character is one that a person sees and a terminal
// does not obey.
func shown(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }

// bounded cuts what is far longer than will be shown before it is looked at
// character by character.
func bounded(s string, most int) string {
	if limit := most * (utf8.UTFMax + 4); len(s) > limit {
		return s[:max(limit, 0)] + "…"
	}
	return s
}

// shorten keeps the first characters and says so.
func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	if most < 1 {
		return ""
	}
	return string(r[:most-1]) + "…"
}
