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
// characters, bidi marks and other format characters, letters that leave nothing on
// the screen, invalid UTF-8), and no more than MaxLine characters stay.
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

// Spaced is Line that keeps each space: for one line that was laid out.
func Spaced(s string) string {
	s = strings.TrimRight(Visible(strings.ReplaceAll(bounded(s, MaxLine), "\n", " ")), " ")
	return shorten(s, MaxLine)
}

// Block makes a text of several lines safe: each is as Line makes it but keeps
// its inner spaces, empty ones go, later ones are indented by "  | ", and no more
// than MaxBlock characters stay in all. A text of one line stays one.
func Block(s string) string { return strings.Join(lines(s, MaxLine), "\n"+indent) }

// Lines are the lines of a text for who indents them, as in Block, but a single
// one may be as long as all: a line to be copied is not cut before.
func Lines(s string) []string { return lines(s, MaxBlock) }

func lines(s string, most int) []string {
	s = bounded(s, MaxBlock)
	var out []string
	length := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		if line = strings.TrimSpace(shorten(Visible(line), most)); line == "" {
			continue
		}
		if length += utf8.RuneCountInString(line); length > MaxBlock {
			return append(out, "…")
		}
		out = append(out, line)
	}
	return out
}

// Visible takes out what a terminal would obey, keeps spaces and line breaks,
// and has no bound: for what this program laid out around foreign words,
// where each of their lines is indented already (YAML).
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case !shown(r):
			return -1
		}
		return r
	}, s)
}

// shown reports whether a character is one that a person sees and a terminal
// does not obey.
func shown(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) && !blank(r) }

// blank reports whether a character is a letter, mark or symbol by its class and leaves
// nothing on the screen: with one in it, two different names look the same. They are what
// Unicode wants ignored where it cannot be displayed (DerivedCoreProperties.txt,
// Default_Ignorable_Code_Point; its format characters are not printable anyway), and
// those whose form is empty: Braille without a dot, a note without a head, and the fillers
// of Khitan and of the Egyptian quadrats.
func blank(r rune) bool {
	switch r {
	case 0x2800, 0x1D159, 0x16FE4, 0x13441, 0x13442:
		return true
	}
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

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
