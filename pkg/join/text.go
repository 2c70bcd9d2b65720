// SPDX-License-Identifier: Apache-2.0

package join

import (
	"strings"
	"time"
	"unicode"
)

// longest is how much of a foreign text is shown, in characters.
const longest = 240

// plain makes a text that a kubelet or a host wrote fit for a terminal: one
// line, no control characters, not endless.
//
//	"a\n\x1b[2Jb"  →  "a [2Jb"
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > longest {
		return string(r[:longest-1]) + "…"
	}
	return s
}

// short is a duration without zero units: 1h, 90s as 1m30s, 24h.
func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
