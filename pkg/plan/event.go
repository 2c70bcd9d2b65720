// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what an Event is about.
type Kind string

// The kinds of events, in the order they can come for one step.
const (
	Started  Kind = "started"
	Progress Kind = "progress"
	Skipped  Kind = "skipped"
	Done     Kind = "done"
	Failed   Kind = "failed"
	Undone   Kind = "undone"
)

// Event is one thing that happened to one step, on the laptop or on a host.
type Event struct {
	Time time.Time `json:"time"`
	// Plan is the title of the plan the step belongs to.
	Plan string `json:"plan,omitempty"`
	// Step and Title are the step's ID and title.
	Step  string `json:"step"`
	Title string `json:"title,omitempty"`
	Kind  Kind   `json:"kind"`
	// Message is the progress line or the error; empty for the other kinds.
	Message string `json:"message,omitempty"`
	// Host is the node the event comes from; empty means this machine.
	Host string `json:"host,omitempty"`
}

// Observer is told what happens. Observe may be called from several goroutines
// and must not block for long.
type Observer interface {
	Observe(Event)
}

// ObserverFunc makes a function an Observer.
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Discard is the observer that ignores everything.
const Discard = discard(0)

type discard int

// Observe does nothing.
func (discard) Observe(Event) {}

// lowerFirst makes a title fit for the middle of an error text, leaving
// abbreviations ("API …") as they are.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	second, _ := utf8.DecodeRuneInString(s[size:])
	if size == 0 || unicode.IsUpper(second) {
		return s
	}
	return string(unicode.ToLower(first)) + s[size:]
}
