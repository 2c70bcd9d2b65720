// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// heartbeat is how often a wait is spoken of when nothing changes.
const heartbeat = 15 * time.Second

// reporter reports what the run does and waits for, and repeats itself only at
// the heartbeat.
type reporter struct {
	Listener
	began time.Time
	// drawn is when Lines was last called.
	drawn time.Time
	// key is what was last said to be waited for, without the numbers that
	// change all the time.
	key  string
	last time.Time
	gone int
}

func (t *reporter) say(now time.Time, format string, args ...any) {
	t.last = now
	if t.Report != nil {
		t.Report(format, args...)
	}
}

// nextBeat is when to speak again if nothing happens.
func (t *reporter) nextBeat(now time.Time) time.Time {
	if next := t.last.Add(heartbeat); next.After(now) {
		return next
	}
	return now.Add(heartbeat)
}

// left tells that a pod is gone.
func (t *reporter) left(r *run, it *item, now time.Time) {
	t.gone++
	word := "is gone"
	switch {
	case it.ours && it.Action == drain.ActionDelete:
		word = "deleted"
	case it.ours:
		word = "evicted"
	}
	t.event(now, EventLeft, it, word)
	from := text.Choose(len(r.decision.Nodes) > 1, " from "+it.Node, "")
	t.say(now, "%s %s%s (%d of %d)", it.Pod, word, from, t.gone, len(r.items))
}

// waiting tells what keeps the pods that are left, when that has changed or
// after a while.
func (t *reporter) waiting(r *run, now time.Time) {
	t.draw(r, now)
	var lines, ordinary, keys []string
	for _, err := range r.troubles() {
		lines = append(lines, err.Error())
		keys = append(keys, err.Error())
	}
	if r.ready() {
		for _, o := range group(r.remaining()) {
			if o.Cause == drain.CauseNotAsked || o.Cause == drain.CauseTurn || o.Cause == drain.CauseStopping && o.Why == "stopping" {
				ordinary = append(ordinary, o.text())
				continue
			}
			lines = append(lines, o.text())
			keys = append(keys, o.key())
		}
	}
	if t.last.IsZero() {
		t.last = now
	}
	key := strings.Join(keys, "\n")
	beat := now.Sub(t.last) >= heartbeat
	if beat {
		lines = append(lines, ordinary...)
	}
	if len(lines) == 0 || !beat && (key == "" || key == t.key) {
		return
	}
	t.key = key
	left := len(r.items) - t.gone
	t.event(now, EventWaiting, nil, strings.Join(lines, "; "))
	t.say(now, "%d of %d pods still there after %s: %s", left, len(r.items), now.Sub(t.began).Round(time.Second),
		strings.Join(text.Capped(lines), "; "))
}

// remaining are the pods that are still there, as an outcome would name them.
func (r *run) remaining() []Left {
	var out []Left
	for _, it := range r.items {
		if it.phase != left && it.phase != unwaited {
			out = append(out, r.left(it))
		}
	}
	return out
}

// troubles are the watches that do not work just now.
func (r *run) troubles() []error {
	var out []error
	add := func(what string, err error) {
		if err != nil {
			out = append(out, fmt.Errorf("cannot watch %s: %w", what, err))
		}
	}
	for _, part := range r.decision.Scope.Parts() {
		_, err := r.pods[part].State()
		add(text.Choose(part == drain.Everywhere, "pods", "the pods of node "+part), err)
	}
	_, err := r.nodes.State()
	add("nodes", err)
	_, err = r.budgets.State()
	add("PodDisruptionBudgets", err)
	return out
}
