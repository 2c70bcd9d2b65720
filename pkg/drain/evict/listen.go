// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// redraw is the least time between two pictures.
const redraw = 200 * time.Millisecond

// Listener is told what a drain does. Each field may be nil; all are called
// from one goroutine and must not block for long.
type Listener struct {
	// Report gets sentences: what left, what is waited for when that changes,
	// and a heartbeat.
	Report plan.Report
	// Event gets the same for a machine.
	Event func(Event)
	// Lines gets the whole picture, to be shown in place: a line for each node
	// under way, and one for each thing that keeps pods.
	Lines func([]string)
	// Hopeless is listened to: pods that nothing lets go any more are given up as long
	// as their budget never opens, and the others go on.
	Hopeless <-chan Hopeless
}

// Hopeless are pods whose budget was to open, and does not, with the reason and the way
// out.
type Hopeless struct {
	Pods        []drain.Pod
	Why, WayOut string
}

// EventKind says what an Event is about.
type EventKind string

// The kinds of events.
const (
	// EventAsked: an eviction or deletion was sent.
	EventAsked EventKind = "asked"
	// EventAnswered: the server's answer, which was no consent.
	EventAnswered EventKind = "answered"
	// EventTold: the server has accepted, and the pod is stopping.
	EventTold EventKind = "told"
	// EventLeft: a pod is gone.
	EventLeft EventKind = "left"
	// EventWaiting: what is waited for has changed, or is repeated.
	EventWaiting EventKind = "waiting"
)

// Event is one thing that happened in a drain.
type Event struct {
	Time time.Time `json:"time"`
	Kind EventKind `json:"kind"`
	// Pod and Node are empty where the event is about the whole drain.
	Pod     *drain.Pod  `json:"pod,omitempty"`
	Node    string      `json:"node,omitempty"`
	Cause   drain.Cause `json:"cause,omitempty"`
	Message string      `json:"message,omitempty"`
}

func (t *reporter) event(now time.Time, kind EventKind, it *item, message string) {
	if t.Event == nil {
		return
	}
	e := Event{Time: now.UTC(), Kind: kind, Message: message}
	if it != nil {
		pod := it.Pod
		e.Pod, e.Node = &pod, it.Node
		if kind == EventAnswered {
			e.Cause = it.said.cause
		}
	}
	t.Event(e)
}

// draw shows the picture, not more often than can be looked at.
func (t *reporter) draw(r *run, now time.Time) {
	if t.Lines == nil || now.Sub(t.drawn) < redraw {
		return
	}
	t.drawn = now
	t.Lines(r.picture(now))
}

// nextDraw is when the picture is due again; zero if it is not shown.
func (t *reporter) nextDraw() time.Time {
	if t.Lines == nil {
		return time.Time{}
	}
	return t.drawn.Add(time.Second)
}

// picture is a line for each node that is under way, one that counts the
// others, and one for each thing that keeps pods.
func (r *run) picture(now time.Time) []string {
	var out []string
	idle, done := 0, 0
	for _, n := range r.decision.Nodes {
		tally := tallyOf(r.turns.items[n.Name])
		switch {
		case tally.over == tally.all:
			done++
		case !r.turns.active[n.Name]:
			idle++
		default:
			out = append(out, fmt.Sprintf("%s  %s", n.Name, tally))
		}
	}
	if len(r.decision.Nodes) > 1 {
		out = append(out, fmt.Sprintf("%d of %d nodes done, %d to come, after %s", done, len(r.decision.Nodes), idle,
			now.Sub(r.tell.began).Round(time.Second)))
	}
	for _, o := range group(r.remaining()) {
		if o.Cause != drain.CauseNotAsked && o.Cause != drain.CauseTurn && (o.Cause != drain.CauseStopping || o.Why != "stopping") {
			out = append(out, "  "+o.short())
		}
	}
	for _, err := range r.troubles() {
		out = append(out, "  "+err.Error())
	}
	return out
}

// tally counts the pods of a node by what they do.
type tally struct{ all, over, stopping, held, asked int }

func tallyOf(items []*item) tally {
	t := tally{all: len(items)}
	for _, it := range items {
		switch {
		case it.over():
			t.over++
		case it.phase == stopping:
			t.stopping++
		case it.phase == asked:
			t.asked++
		default:
			t.held++
		}
	}
	return t
}

// String is "3 of 5 pods gone, 1 stopping, 1 waiting".
func (t tally) String() string {
	parts := []string{fmt.Sprintf("%d of %d pods gone", t.over, t.all)}
	for _, part := range []struct {
		n    int
		word string
	}{{t.asked, "asked"}, {t.stopping, "stopping"}, {t.held, "waiting"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}
