// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// undoTimeout bounds each Undo, which runs on a context of its own because the
// plan's context is often the very thing that has just been cancelled.
const undoTimeout = 15 * time.Second

// Report tells the observer what a running step does or waits for, and may be
// called from several goroutines if the Observer allows it.
type Report func(format string, args ...any)

// Step is one change, its name, and the way to know that it is already made.
type Step struct {
	// ID is stable and short, unique within a plan: "drain", "host/mounts".
	ID string
	// Title is what a person reads: "Evict 7 pods from worker-3".
	Title string
	// Needed reports whether the step still has to be done; nil means always.
	// It only reads.
	Needed func(ctx context.Context) (bool, error)
	// Do makes the change. It is idempotent and returns only when the change
	// is made, or an error.
	Do func(ctx context.Context, report Report) error
	// Undo takes back a courtesy (a cordon, a lock) when a later step fails;
	// nil means there is nothing to take back. Work that is worth resuming has
	// no Undo. It returns ErrKept where there is nothing to take back any more.
	Undo func(ctx context.Context) error
}

// ErrKept is what an Undo returns that leaves things as they are on purpose: it
// is no failure, and no event says that something was taken back.
var ErrKept = errors.New("nothing is taken back")

// Plan is a recipe: what will be done, in order, and what will not.
type Plan struct {
	Title string
	Steps []Step
	// Notes say what the plan deliberately leaves alone.
	Notes []string
}

// Result is what a run did.
type Result struct {
	// Done and Skipped are step IDs in the order they came.
	Done    []string
	Skipped []string
	// Failed is the ID of the step that stopped the plan; empty if none did.
	Failed string
}

// IDs returns the step IDs in order: what a test compares a recipe with.
func (p Plan) IDs() []string {
	ids := make([]string, 0, len(p.Steps))
	for _, s := range p.Steps {
		ids = append(ids, s.ID)
	}
	return ids
}

// Run does the steps in order and stops at the first error, which it returns
// wrapped with the step's title. A nil watch is allowed.
func (p Plan) Run(ctx context.Context, watch Observer) (Result, error) {
	if watch == nil {
		watch = Discard
	}
	var res Result
	for i, s := range p.Steps {
		skipped, err := p.step(ctx, s, watch)
		switch {
		case err != nil:
			res.Failed = s.ID
			undoErr := p.undo(ctx, p.Steps[:i+1], res.Done, watch)
			return res, errors.Join(fmt.Errorf("%s: %w", lowerFirst(s.Title), err), undoErr)
		case skipped:
			res.Skipped = append(res.Skipped, s.ID)
		default:
			res.Done = append(res.Done, s.ID)
		}
	}
	return res, nil
}

// step runs one step and tells the observer about it.
func (p Plan) step(ctx context.Context, s Step, watch Observer) (skipped bool, err error) {
	if err := Stopped(ctx, context.Cause(ctx)); err != nil {
		watch.Observe(p.event(s, Failed, err.Error()))
		return false, err
	}
	if s.Needed != nil {
		needed, err := s.Needed(ctx)
		if err = Stopped(ctx, err); err != nil {
			watch.Observe(p.event(s, Failed, err.Error()))
			return false, err
		}
		if !needed {
			watch.Observe(p.event(s, Skipped, ""))
			return true, nil
		}
	}
	watch.Observe(p.event(s, Started, ""))
	report := func(format string, args ...any) {
		watch.Observe(p.event(s, Progress, fmt.Sprintf(format, args...)))
	}
	if err := Stopped(ctx, s.Do(ctx, report)); err != nil {
		watch.Observe(p.event(s, Failed, err.Error()))
		return false, err
	}
	watch.Observe(p.event(s, Done, ""))
	return false, nil
}

// undo takes back the finished steps in reverse order.
func (p Plan) undo(ctx context.Context, steps []Step, done []string, watch Observer) error {
	finished := make(map[string]bool, len(done))
	for _, id := range done {
		finished[id] = true
	}
	var errs []error
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if s.Undo == nil || !finished[s.ID] {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		err := s.Undo(ctx)
		cancel()
		if errors.Is(err, ErrKept) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", s.ID, err))
			watch.Observe(p.event(s, Failed, "undo: "+err.Error()))
			continue
		}
		watch.Observe(p.event(s, Undone, ""))
	}
	return errors.Join(errs...)
}

func (p Plan) event(s Step, kind Kind, message string) Event {
	return Event{Time: time.Now().UTC(), Plan: p.Title, Step: s.ID, Title: s.Title, Kind: kind, Message: message}
}
