// SPDX-License-Identifier: Apache-2.0

//go:build linux

package report

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Reporter keeps the journal on the host and the record in the API in step.
// The journal is written first and synced; the record follows when an API
// server answers. It never makes the work wait.
type Reporter struct {
	api     *API
	journal *os.File

	// sending keeps patches in order: an older phase must not overtake a newer.
	sending sync.Mutex

	mu     sync.Mutex
	events []wire.Numbered
	dirty  map[string]string // what the record does not have yet
	wake   chan struct{}
}

// Open continues the journal where an earlier process left it. Where none
// can be written, the work is done all the same.
func Open(a *API, journal string) (*Reporter, error) {
	r := &Reporter{api: a, dirty: map[string]string{}, wake: make(chan struct{}, 1)}
	raw, err := tail(journal, mostOfTail)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	past, err := wire.Parse(map[string][]byte{wire.KeyPhase: []byte(wire.Working), wire.KeyEvents: raw})
	if err != nil {
		return nil, err
	}
	r.events = past.Events
	if len(r.events) > wire.MaxEvents {
		r.events = r.events[len(r.events)-wire.MaxEvents:]
	}
	r.journal, err = openJournal(journal)
	if err != nil {
		Complain("open the journal: %v", err)
	}
	return r, nil
}

// Observe writes an event down.
func (r *Reporter) Observe(e plan.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := 1
	if n := len(r.events); n > 0 {
		next = r.events[n-1].Seq + 1
	}
	r.events = append(r.events, cutEvent(wire.Numbered{Seq: next, Event: e}))
	if len(r.events) > wire.MaxEvents {
		r.events = slices.Clone(r.events[len(r.events)-wire.MaxEvents:])
	}
	if err := r.write(r.events[len(r.events)-1]); err != nil {
		Complain("journal: %v", err)
	}
	if text, err := wire.EncodeEvents(fitEvents(r.events)); err == nil {
		r.setLocked(map[string]string{wire.KeyEvents: string(text)})
	}
}

// Set leaves keys for the record.
func (r *Reporter) Set(data map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.setLocked(data)
}

func (r *Reporter) setLocked(data map[string]string) {
	for key, value := range data {
		if key == wire.KeyError {
			value = Cut(value, 2*MaxText) // WithHint has cut it with care
		}
		r.dirty[key] = value
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Serve sends what is new until the context ends.
func (r *Reporter) Serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		if err := r.Flush(ctx); err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
			r.Set(nil)
		}
	}
}

// Flush sends what is new, once; on failure it stays new.
func (r *Reporter) Flush(ctx context.Context) error {
	r.sending.Lock()
	defer r.sending.Unlock()
	r.mu.Lock()
	batch := r.dirty
	r.dirty = map[string]string{}
	r.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := r.api.patch(ctx, batch)
	if errors.Is(err, errTooLarge) {
		err = r.api.patch(ctx, spare(batch))
	}
	if errors.Is(err, errTooLarge) {
		err = r.api.patch(ctx, map[string]string{wire.KeyPhase: batch[wire.KeyPhase], wire.KeyEvents: ""})
	}
	if err != nil {
		r.mu.Lock()
		for key, value := range batch {
			if _, newer := r.dirty[key]; !newer {
				r.dirty[key] = value
			}
		}
		r.mu.Unlock()
	}
	return err
}

// spare is a batch without its events, for a record that is full, however it was filled: those that are in it make room.
func spare(batch map[string]string) map[string]string {
	out := maps.Clone(batch)
	out[wire.KeyEvents] = ""
	return out
}

// Deliver sends what is new and insists, for as long as the record exists and
// patience lasts.
func (r *Reporter) Deliver(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var gone GoneDetector
	for {
		err := r.Flush(ctx)
		if err == nil || gone.Believe(err, time.Now()) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(time.Second):
		}
	}
}
