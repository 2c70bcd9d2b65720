// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// The bounds of what is written into the record, in bytes as they are sent. A
// Secret holds 1 MiB (MaxSecretSize in Kubernetes' API), and above that not even
// the phase would arrive any more.
const (
	// MaxText is of one text.
	MaxText      = 2 << 10
	mostOfEvents = 96 << 10
)

// Cut makes a text no longer than some bytes, as JSON: what a terminal would obey
// goes, and what is too long ends in "…".
func Cut(s string, most int) string {
	const mark = "…"
	var out strings.Builder
	for size := 0; len(s) > 0; {
		r, n := utf8.DecodeRuneInString(s)
		piece := s[:n]
		s = s[n:]
		if r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' {
			continue
		}
		cost := len(piece)
		if strings.ContainsRune("<>&\u2028\u2029\n\t\"\\", r) {
			cost = len(`\u0000`) // as encoding/json writes it, at most
		}
		if size += cost; size > most-len(mark) {
			return out.String() + mark
		}
		out.WriteString(piece)
	}
	return out.String()
}

// WithHint is an error with its way out in the lines below it; however long the
// one is, the other is there.
func WithHint(err error) string {
	hint := plan.HintOf(err)
	if hint == "" {
		return Cut(err.Error(), MaxText)
	}
	hint = Cut(hint, MaxText/2)
	return Cut(err.Error(), MaxText-MaxText/2-len(`\n`)) + "\n" + hint
}

// cutEvent makes an event one line of a record.
func cutEvent(e wire.Numbered) wire.Numbered {
	e.Plan, e.Step, e.Title, e.Host = Cut(e.Plan, 200), Cut(e.Step, 200), Cut(e.Title, 500), Cut(e.Host, 300)
	e.Message = Cut(e.Message, MaxText)
	return e
}

// fitEvents are the last events that a record has room for.
func fitEvents(events []wire.Numbered) []wire.Numbered {
	size := 0
	for i := len(events) - 1; i >= 0; i-- {
		line, err := json.Marshal(events[i])
		if size += len(line) + 1; err != nil || size > mostOfEvents {
			return events[i+1:]
		}
	}
	return events
}
