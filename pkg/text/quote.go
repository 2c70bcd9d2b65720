// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxWord is how many bytes Whole quotes. A longer word is nothing that a
// person pastes, and from 128 KiB on Linux does not start the program
// (MAX_ARG_STRLEN).
const MaxWord = 32 << 10

// Quote makes one word for a POSIX shell. What a terminal would obey is taken
// out first: a word that is pasted is one line.
//
//	worker-1  →  worker-1
//	it's      →  'it'\''s'
//
// A word longer than MaxLine is cut, and one that begins with a dash is an option
// to the program that gets it: what a word is good for has to be checked before.
func Quote(word string) string { return quote(Line(word)) }

// Whole quotes a word that is of use only as it is, like JSON. It reports false
// for one that Quote would change or that is longer than MaxWord.
func Whole(word string) (quoted string, ok bool) {
	if len(word) > MaxWord || !utf8.ValidString(word) || strings.ContainsRune(word, '\n') || Visible(word) != word {
		return "", false
	}
	return quote(word), true
}

func quote(word string) string {
	if word != "" && strings.IndexFunc(word, special) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// special reports whether a character may mean something to a shell.
func special(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:,@%+=", r)
}

// Command is a command to paste: each word is quoted, so that none of them can
// be more than one word, whatever its source. A word that is harmless as it is stays
// whole, up to MaxWord.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		whole, ok := Whole(word)
		if !ok {
			whole = Quote(word)
		}
		quoted[i] = whole
	}
	return strings.Join(quoted, " ")
}

// JSON writes what a terminal would obey in a JSON text as \u escapes: outside of
// ASCII there is nothing but in strings, so the text means the same afterwards.
// encoding/json escapes the characters below the space itself, but not C1
// controls, bidi marks and other format characters.
func JSON(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == '\n' || r == '\t' || shown(r):
			out = append(out, raw[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = escaped(escaped(out, high), low)
		default:
			out = escaped(out, r)
		}
		raw = raw[size:]
	}
	return out
}

// escaped appends \u and four digits.
func escaped(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
