// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"strings"
)

// How much of a long list an error or a warning shows.
const (
	maxGroups = 5
	maxNames  = 3
)

// Choose is yes if the first is true, else no.
func Choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

// Some is a list of names that stays readable: three of them and a count.
func Some(names []string) string { return First(names, maxNames) }

// First is a list of at most so many names, and a count of the others.
func First(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// Capped cuts a list of lines to five and a count of the others, as reasons.
func Capped(lines []string) []string {
	if more := len(lines) - maxGroups; more > 0 {
		return append(lines[:maxGroups:maxGroups], fmt.Sprintf("and %d more reasons", more))
	}
	return lines
}

// Count is a number of things: "1 node", "2 nodes". The word is one that takes an s.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
