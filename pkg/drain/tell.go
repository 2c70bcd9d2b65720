// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// heartbeat is how often a wait is spoken of when nothing changes.
const heartbeat = 15 * time.Second

// teller reports what the run does and waits for, and repeats itself only at
// the heartbeat.
type teller struct {
	report plan.Report
	began  time.Time
	// key is what was last said to be waited for, without the numbers that
	// change all the time.
	key  string
	last time.Time
	gone int
}

func (t *teller) say(now time.Time, format string, args ...any) {
	t.last = now
	if t.report != nil {
		t.report(format, args...)
	}
}

// nextBeat is when to speak again if nothing happens.
func (t *teller) nextBeat(now time.Time) time.Time {
	if next := t.last.Add(heartbeat); next.After(now) {
		return next
	}
	return now.Add(heartbeat)
}

// left tells that a pod is gone.
func (t *teller) left(r *run, it *item, now time.Time) {
	t.gone++
	word := "is gone"
	switch {
	case it.ours && it.Action == ActionDelete:
		word = "deleted"
	case it.ours:
		word = "evicted"
	}
	t.say(now, "%s %s (%d of %d)", it.Pod, word, t.gone, len(r.items))
}

// waiting tells what keeps the pods that are left, when that has changed or
// after a while.
func (t *teller) waiting(r *run, now time.Time) {
	var lines, ordinary, keys []string
	for _, err := range r.troubles() {
		lines = append(lines, err.Error())
		keys = append(keys, err.Error())
	}
	if r.ready() {
		for _, o := range group(r.remaining()) {
			if o.Cause == CauseNotAsked || o.Cause == CauseStopping && o.Why == "stopping" {
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
	t.say(now, "%d of %d pods still there after %s: %s", left, len(r.items), now.Sub(t.began).Round(time.Second), strings.Join(capped(lines), "; "))
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
	if _, err := r.pods.state(); err != nil {
		out = append(out, fmt.Errorf("cannot watch the pods of node %s: %w", r.node, err))
	}
	if _, err := r.budgets.state(); err != nil {
		out = append(out, fmt.Errorf("cannot watch PodDisruptionBudgets: %w", err))
	}
	return out
}

// lingering says why a pod that should be gone is still there; empty while its
// grace period lasts.
func lingering(pod *corev1.Pod, now time.Time) string {
	late := now.Sub(pod.DeletionTimestamp.Time)
	switch {
	case late < 5*time.Second:
		return ""
	case len(pod.Finalizers) > 0:
		return fmt.Sprintf("past its grace period, held by the finalizer %s", pod.Finalizers[0])
	}
	return "past its grace period, its kubelet has not confirmed that it stopped"
}
