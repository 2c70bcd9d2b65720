// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"iter"
	"regexp"
)

// base64Runs are the runs of base64 in a text that are longer than a line of PEM:
// each may be a whole text.
func base64Runs(raw []byte) iter.Seq[[]byte] {
	const shortest = 65
	return func(yield func([]byte) bool) {
		for begin := 0; begin < len(raw); {
			end := begin
			for end < len(raw) && inBase64(raw[end]) {
				end++
			}
			long := end-begin >= shortest
			for pad := 0; pad < 2 && long && end < len(raw) && raw[end] == '='; pad++ {
				end++
			}
			if long && !yield(raw[begin:end]) {
				return
			}
			begin = end + 1
		}
	}
}

func inBase64(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '+' || b == '/'
}

// plainPEM puts PEM on lines of its own: in a YAML file it is indented, and in a
// string of JSON its line breaks are written as \n.
func plainPEM(raw []byte) []byte {
	for _, change := range [][2]string{{`\n`, "\n"}, {"-----BEGIN", "\n-----BEGIN"}, {"CERTIFICATE-----", "CERTIFICATE-----\n"},
		{"KEY-----", "KEY-----\n"}} {
		raw = bytes.ReplaceAll(raw, []byte(change[0]), []byte(change[1]))
	}
	if !bytes.Contains(raw, []byte("\n ")) && !bytes.Contains(raw, []byte("\n\t")) {
		return raw
	}
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAll(raw, nil)
}
