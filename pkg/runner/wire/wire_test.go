// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestEventsSurviveTheRecordAndOldOnesAreDropped(t *testing.T) {
	var events []wire.Numbered
	for i := range wire.MaxEvents + 5 {
		events = append(events, wire.Numbered{Seq: i + 1, Event: plan.Event{Step: "s", Kind: plan.Done}})
	}
	raw, err := wire.EncodeEvents(events)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wire.Parse(map[string][]byte{wire.KeyPhase: []byte("working"), wire.KeyEvents: raw})
	if err != nil || len(s.Events) != wire.MaxEvents || s.Events[0].Seq != 6 || s.Events[0].Kind != plan.Done {
		t.Errorf("%d events, first %+v, error %v", len(s.Events), s.Events[0], err)
	}
}

func TestARecordIsHostileInput(t *testing.T) {
	data := func(key, value string) map[string][]byte {
		return map[string][]byte{wire.KeyPhase: []byte("waiting"), key: []byte(value)}
	}
	cases := map[string]struct {
		data map[string][]byte
		ok   func(wire.State, error) bool
	}{
		"an unknown phase is an error": {map[string][]byte{wire.KeyPhase: []byte("owned")},
			func(_ wire.State, err error) bool { return err != nil }},
		"no phase is an error": {nil, func(_ wire.State, err error) bool { return err != nil }},
		"a terminal's escapes are stripped": {data(wire.KeyError, "a\x1b[2Jb\x07\r"), func(s wire.State, err error) bool {
			return err == nil && s.Error == "a[2Jb"
		}},
		"a title is one line": {data(wire.KeyEvents,
			`{"seq":1,"title":"a\n✓ Clean the host\u202e\u009b2J\u2028b","message":"\u2066a\tb\u200b"}`+"\n"), func(s wire.State, _ error) bool {
			return len(s.Events) == 1 && s.Events[0].Title == "a ✓ Clean the host2J b" && s.Events[0].Message == "a b"
		}},
		"names and who began it are one line": {data(wire.KeyWho, "ann\n✓ w1\u202e"),
			func(s wire.State, _ error) bool { return s.Who == "ann ✓ w1" }},
		"an error keeps its lines": {data(wire.KeyError, "two faults:\r\n  a\n\n  b\u2028c"),
			func(s wire.State, _ error) bool { return s.Error == "two faults:\na\nb c" }},
		"a huge text is cut": {data(wire.KeyWho, strings.Repeat("x", 1<<20)),
			func(s wire.State, _ error) bool { return len(s.Who) < 4<<10 }},
		"lines that are no events": {data(wire.KeyEvents, "{\n[]\nnull\n\"x\"\n{\"seq\":\"x\"}\n"),
			func(s wire.State, _ error) bool { return len(s.Events) <= 1 }},
		"an outcome that is no JSON": {data(wire.KeyOutcome, "{"), func(s wire.State, _ error) bool { return s.Outcome == nil }},
		"an operation that would be a command": {data(wire.KeyOperation, "remove; reboot"),
			func(_ wire.State, err error) bool { return err != nil }},
		"an order that no program takes": {data(wire.KeyOrder, "dance"), func(s wire.State, err error) bool {
			return err == nil &&
				s.Order == ""
		}},
		"an order stays": {data(wire.KeyOrder, "abort"), func(s wire.State, _ error) bool { return s.Order == wire.Abort }},
		"more events than a record keeps": {data(wire.KeyEvents, strings.Repeat("{\"seq\":1}\n", 50_000)),
			func(s wire.State, _ error) bool { return len(s.Events) == wire.MaxEvents }},
		"an outcome that is huge": {data(wire.KeyOutcome, `"`+strings.Repeat("x", 900<<10)+`"`),
			func(s wire.State, _ error) bool { return s.Outcome == nil }},
		"escapes in an event's kind and host": {data(wire.KeyEvents, `{"seq":1,"kind":"\u001b[1m","host":"\u0007","plan":"\u001b"}`),
			func(s wire.State, _ error) bool {
				return len(s.Events) == 1 && s.Events[0].Kind == "[1m" && s.Events[0].Host == "" && s.Events[0].Plan == ""
			}},
		"a time that is none": {data(wire.KeySince, "yesterday"), func(s wire.State, _ error) bool { return s.Since.IsZero() }},
		"invalid UTF-8":       {data(wire.KeyError, "a\xff\xfeb"), func(s wire.State, _ error) bool { return s.Error == "ab" }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if s, err := wire.Parse(c.data); !c.ok(s, err) {
				t.Errorf("state %+v, error %v", s, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("working"), []byte(`{"seq":1,"step":"a","kind":"done","host":"\u001b[1m"}`), []byte("\x1b[0m"), []byte(`{"state":"clean"}`))
	f.Add([]byte("waiting"), []byte("null\n[]\n{}\n"), []byte("a\nb\u202e\xff"), []byte(`[[[[`))
	f.Add([]byte("finished"), bytes.Repeat([]byte("{\"seq\":1}\n"), 2*wire.MaxEvents), bytes.Repeat([]byte("x"), 64<<10),
		bytes.Repeat([]byte(" "), 600<<10))
	f.Fuzz(func(t *testing.T, phase, events, text, outcome []byte) {
		s, err := wire.Parse(map[string][]byte{
			wire.KeyPhase: phase, wire.KeyEvents: events, wire.KeyError: text, wire.KeyOutcome: outcome, wire.KeyNode: text, wire.KeyNodeUID: text,
			wire.KeyWho:   text,
			wire.KeySince: text, wire.KeyOrder: text, wire.KeyAlive: text, wire.KeyToken: text, wire.KeyCordoned: text,
		})
		operation, operationErr := wire.Parse(map[string][]byte{wire.KeyPhase: []byte("ready"), wire.KeyOperation: text})
		if operationErr == nil && strings.Trim(string(operation.Operation), "abcdefghijklmnopqrstuvwxyz-") != "" {
			t.Errorf("operation %q", operation.Operation)
		}
		if err != nil {
			return
		}
		texts := []string{s.Node, s.NodeUID, s.Who, string(s.Phase), string(s.Order), s.Error, s.Alive, s.Token, s.Describe()}
		for _, e := range s.Events {
			texts = append(texts, e.Step, e.Title, e.Message, e.Host, e.Plan, string(e.Kind))
		}
		for _, text := range texts {
			if len(text) > 16<<10 {
				t.Errorf("a text of %d bytes", len(text))
			}
			for _, r := range text {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar {
					t.Errorf("%U came through in %q", r, text)
				}
			}
		}
		if len(s.Events) > wire.MaxEvents {
			t.Errorf("%d events", len(s.Events))
		}
		if s.Outcome != nil && (len(s.Outcome) > 512<<10 || !json.Valid(s.Outcome)) {
			t.Errorf("an outcome of %d bytes", len(s.Outcome))
		}
	})
}
