// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// pollEvery is how often the record is read while the program waits for an
// order: one GET of one object.
const pollEvery = time.Second

// motd is where a person who comes to the host reads why it was left as it is.
const motd = "/run/motd.d/kubectl-lifecycle"

// worker is the unit's process: one run on this host.
type worker struct {
	spec wire.Spec
	// run is what its operation does.
	run      *run
	api      *report.API
	reporter *report.Reporter
}

// work runs the operation to its end: the host is clean, or it is as it was,
// and nothing of the run is left on it. It returns an error only where another
// start of the unit may help.
func work(ctx context.Context, all []operation) error {
	unlock, err := lock(in(lockName))
	if err != nil {
		return fmt.Errorf("lock this host: %w", err)
	}
	defer unlock()
	if spec, _, err := loadSpec(all); err == nil {
		if err := ownMachine(spec); err != nil {
			notice(err)
			return nil
		}
	}
	if departing() {
		return resumeDeparture(ctx, all)
	}
	w, err := newWorker(all)
	if plan.ClassOf(err) == plan.Refused {
		notice(err)
		return nil
	}
	if err != nil {
		return err
	}
	go w.reporter.Serve(ctx)
	return w.resume(ctx)
}

// ready waits for the order to begin, on a host that is as it was.
func (w *worker) ready(ctx context.Context) error {
	_ = os.Remove(motd) // an earlier run's
	if err := w.tidy(ctx); err != nil {
		return w.depart(ctx, wire.Aborted, report.WithHint(err))
	}
	if err := w.mayBegin(ctx); err != nil {
		return w.depart(ctx, wire.Aborted, report.WithHint(err))
	}
	w.reporter.Set(map[string]string{wire.KeyPhase: string(wire.Ready)})
	order, err := w.await(ctx)
	if err != nil {
		return err
	}
	if order != wire.Go && order != wire.Retry {
		return w.depart(ctx, wire.Aborted, "")
	}
	return w.work(ctx)
}

func newWorker(all []operation) (*worker, error) {
	spec, op, err := loadSpec(all)
	if err != nil {
		return nil, fmt.Errorf("load the spec: %w", err)
	}
	token, err := trimmed(in("token"))
	if err != nil {
		return nil, fmt.Errorf("load the token: %w", err)
	}
	a, err := report.NewAPI(spec, token)
	if err != nil {
		return nil, err
	}
	r, err := report.Open(a, in(journalName))
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return &worker{spec: spec, run: op.run, api: a, reporter: r}, nil
}

// begun says whether the host may have been changed.
func begun() (bool, error) { return written(begunFile) }

// work does what the run is for, waits where a step fails, and ends in one of the two
// final phases.
func (w *worker) work(ctx context.Context) error {
	for {
		_ = os.Remove(motd) // whatever it said, it is being worked on
		outcome, err := w.operate(ctx)
		if err == nil {
			return w.end(ctx, outcome)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.reporter.Set(map[string]string{wire.KeyPhase: string(wire.Waiting), wire.KeyError: report.WithHint(err)})
		order, err := w.await(ctx)
		if err != nil {
			return err
		}
		if order != wire.Retry && order != wire.Go {
			return w.wayBack(ctx)
		}
	}
}

// end tells the outcome, and leaves. It is written down first: once the work is
// done the host may have another owner, and is not worked on again.
func (w *worker) end(ctx context.Context, outcome json.RawMessage) error {
	if err := place(in(outcomeFile), 0o600, bytes.NewReader(outcome)); err != nil {
		report.Complain("write down the outcome: %v", err)
	}
	w.reporter.Set(map[string]string{wire.KeyPhase: string(wire.Leaving), wire.KeyOutcome: string(outcome)})
	if err := w.reporter.Deliver(ctx, w.spec.Patience); err != nil && !errors.Is(err, report.ErrGone) {
		report.Complain("the work is done, but the outcome could not be reported: %v", err)
	}
	return w.depart(ctx, wire.Finished, "")
}

// wayBack starts the kubelet again and leaves the host, or says there why not.
func (w *worker) wayBack(ctx context.Context) error {
	if err := w.goBack(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.reporter.Set(map[string]string{wire.KeyPhase: string(wire.Waiting), wire.KeyError: report.WithHint(err), wire.KeyOrder: ""})
		_ = w.reporter.Deliver(ctx, time.Minute)
		return w.strand(ctx, err)
	}
	return w.depart(ctx, wire.Aborted, "")
}

// operate does what the run is for, once it is written down that the host may be
// changed by now.
func (w *worker) operate(ctx context.Context) (json.RawMessage, error) {
	if w.run.mayGoOn != nil {
		if err := w.run.mayGoOn(w); err != nil {
			w.reporter.Set(map[string]string{wire.KeyOrder: ""}) // it was heard
			return nil, err
		}
	}
	before, err := begun()
	if err != nil {
		return nil, err
	}
	if !before {
		err := place(in(begunFile), 0o600, strings.NewReader(time.Now().UTC().Format(time.RFC3339)+"\n"+nodeMark()+"\n"))
		if err != nil {
			w.reporter.Set(map[string]string{wire.KeyOrder: ""}) // it was heard
			return nil, plan.Hint(fmt.Errorf("write down that the work begins: %w", err), "%s", wayOut(err))
		}
	}
	w.reporter.Set(map[string]string{wire.KeyPhase: string(wire.Working), wire.KeyOrder: "", wire.KeyError: ""})
	return w.run.do(ctx, w)
}

// mayBegin refuses, before anything is drained, what would fail afterwards: an
// etcd member without which its cluster has no quorum, a destination that this
// host cannot join.
func (w *worker) mayBegin(ctx context.Context) error {
	if w.run.mayBegin != nil {
		if err := w.run.mayBegin(ctx, w); err != nil {
			return err
		}
	}
	t, err := w.target()
	if err != nil {
		return err
	}
	if err := t.Objections(ctx); err != nil {
		return err
	}
	view, err := t.Etcd(ctx)
	if err != nil || view == nil || view.Self == "" {
		return err
	}
	_, err = view.Departure()
	return err
}

// await waits for an order. Where the record is gone, or the plugin has given no
// sign of life for as long as the spec's patience, the order is to take the
// way back. An API server that does not answer is no order: only patience ends
// that.
func (w *worker) await(ctx context.Context) (wire.Order, error) {
	last, alive, gone := time.Now(), "", report.GoneDetector{}
	for {
		_ = w.reporter.Flush(ctx) // the next request tells as much
		state, err := w.api.Get(ctx)
		if err == nil {
			if state.Order != "" {
				return state.Order, nil
			}
			if state.Alive != alive {
				last, alive = time.Now(), state.Alive
			}
		}
		if gone.Believe(err, time.Now()) || time.Since(last) > w.spec.Patience {
			return wire.Abort, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// outcome is the result of a removal as the record carries it.
func outcome(value any) (json.RawMessage, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the outcome: %w", err)
	}
	return raw, nil
}
