// SPDX-License-Identifier: Apache-2.0

package text

import "strings"

// Quote makes one word for a POSIX shell. What a terminal would obey is taken
// out first: a word that is pasted is one line.
//
//	worker-1  →  worker-1
//	it's      →  'it'\''s'
func Quote(word string) string {
	word = Line(word)
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
// be more than one word, whoever chose it.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return strings.Join(quoted, " ")
}
