// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Bounds of what is read from a record; a Secret holds 1 MiB at most.
const (
	maxLine = 8 << 10
	maxText = 2 << 10
	// maxOutcome bounds an outcome, which is decoded whole.
	maxOutcome = 512 << 10
)

// State is a record's data, parsed.
type State struct {
	Operation Operation
	Node      string
	// NodeUID is the UID of the Node when the run began; empty if none was noted.
	NodeUID string
	// Who began the run ("user@host") and when.
	Who   string
	Since time.Time
	Phase Phase
	// Order is the last order given; empty if none was.
	Order Order
	// Error is why the program waits, or why it has refused the host before it
	// changed anything (Aborted); empty in other phases.
	Error string
	// Events are the last ones, oldest first, numbered by Total.
	Events []Numbered
	// Outcome is the operation's own result, present once Finished.
	Outcome json.RawMessage
	// Alive is the plugin's sign of life; only its changing means something.
	Alive string
	// Token is the id of the bootstrap token that the host was given (Move).
	Token string
	// Terms is what the run was told to do; empty if that was not noted.
	Terms string
	// Cordoned says that the run cordoned the node, so that the way back
	// uncordons it.
	Cordoned bool
}

// Numbered is an event with its place in the whole run, so that a follower
// shows each event once although the record keeps only a tail.
type Numbered struct {
	Seq int `json:"seq"`
	plan.Event
}

// Parse reads a record's data. Texts are cut to a bound and stripped of what a
// terminal would obey; each is one line, but for Error; lines that are no events
// are dropped, as is an order that is none; an unknown phase is an error.
func Parse(data map[string][]byte) (State, error) {
	s := State{
		Operation: Operation(clean(data[KeyOperation])),
		Node:      clean(data[KeyNode]),
		NodeUID:   clean(data[KeyNodeUID]),
		Who:       clean(data[KeyWho]),
		Phase:     Phase(clean(data[KeyPhase])),
		Order:     Order(clean(data[KeyOrder])),
		Error:     cleanLines(data[KeyError]),
		Alive:     clean(data[KeyAlive]),
		Token:     clean(data[KeyToken]),
		Terms:     clean(data[KeyTerms]),
		Cordoned:  string(data[KeyCordoned]) == "true",
	}
	switch s.Phase {
	case Preparing, Ready, Working, Waiting, Leaving, Finished, Aborted:
	default:
		return State{}, fmt.Errorf("run record: unknown phase %q", s.Phase)
	}
	if !isWord(s.Operation) {
		return State{}, fmt.Errorf("run record: %q is not an operation", s.Operation)
	}
	switch s.Order {
	case Go, Retry, Abort:
	default: // no program would ever take it
		s.Order = ""
	}
	if since, err := time.Parse(time.RFC3339, clean(data[KeySince])); err == nil {
		s.Since = since
	}
	s.Events = parseEvents(data[KeyEvents])
	if len(data[KeyOutcome]) <= maxOutcome && json.Valid(data[KeyOutcome]) {
		s.Outcome = data[KeyOutcome]
	}
	return s, nil
}

// parseEvents reads the last events of a record.
func parseEvents(raw []byte) (events []Numbered) {
	for line := range bytes.Lines(raw) {
		var e Numbered
		if len(line) > maxLine || json.Unmarshal(line, &e) != nil {
			continue
		}
		e.Title, e.Message, e.Step = clean([]byte(e.Title)), clean([]byte(e.Message)), clean([]byte(e.Step))
		e.Kind, e.Host, e.Plan = plan.Kind(clean([]byte(e.Kind))), clean([]byte(e.Host)), clean([]byte(e.Plan))
		events = append(events, e)
	}
	return events[max(0, len(events)-MaxEvents):]
}

// isWord reports whether an operation may be the name of one, of a later version
// perhaps: it is part of a command that is shown.
func isWord(o Operation) bool {
	return len(o) <= 20 && strings.Trim(string(o), "abcdefghijklmnopqrstuvwxyz-") == ""
}

// Resumable reports whether the host may have been changed.
func (s State) Resumable() bool {
	return s.Phase == Working || s.Phase == Waiting || s.Phase == Leaving
}

// Describe says who does what since when.
func (s State) Describe() string {
	since := "an unknown time"
	if !s.Since.IsZero() {
		since = s.Since.Local().Format(time.DateTime)
	}
	return fmt.Sprintf("%s of node %s by %s since %s (%s)", s.Operation, s.Node, s.Who, since, s.Phase)
}

// clean makes a text from a record one harmless line.
func clean(raw []byte) string { return text.Short(string(raw[:min(len(raw), 4*maxText)]), maxText) }

// cleanLines does the same for a text that may have several lines.
func cleanLines(raw []byte) string {
	return strings.Join(text.Lines(string(raw[:min(len(raw), maxText)])), "\n")
}
