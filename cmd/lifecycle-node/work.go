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
	"path/filepath"
	"strings"
	"time"

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
	spec   wire.Spec
	api    *api
	report *reporter
}

// work runs the operation to its end: the host is clean, or it is as it was,
// and nothing of the run is left on it. It returns an error only where another
// start of the unit may help.
func work(ctx context.Context) error {
	unlock, err := lock(in(lockName))
	if err != nil {
		return fmt.Errorf("lock this host: %w", err)
	}
	defer unlock()
	if departing() {
		return resumeDeparture(ctx)
	}
	w, err := newWorker()
	if err != nil {
		return err
	}
	go w.report.serve(ctx)
	if !begun() {
		if err := w.mayBegin(ctx); err != nil {
			return w.depart(ctx, wire.Aborted, withHint(err))
		}
		w.report.set(map[string]string{wire.KeyPhase: string(wire.Ready)})
		order, err := w.await(ctx)
		if err != nil {
			return err
		}
		if order != wire.Go && order != wire.Retry {
			return w.depart(ctx, wire.Aborted, "")
		}
		if err := place(in("begun"), 0o600, strings.NewReader(time.Now().UTC().Format(time.RFC3339))); err != nil {
			return err
		}
	}
	return w.run(ctx)
}

func newWorker() (*worker, error) {
	spec, err := loadSpec()
	if err != nil {
		return nil, fmt.Errorf("load the spec: %w", err)
	}
	token, err := trimmed(in("token"))
	if err != nil {
		return nil, fmt.Errorf("load the token: %w", err)
	}
	a, err := newAPI(spec, token)
	if err != nil {
		return nil, err
	}
	r, err := openReporter(a)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return &worker{spec: spec, api: a, report: r}, nil
}

// begun says whether the host may have been changed.
func begun() bool {
	_, err := os.Stat(in("begun"))
	return err == nil
}

// run does the work, waits where a step fails, and ends in one of the two
// final phases.
func (w *worker) run(ctx context.Context) error {
	for {
		_ = os.Remove(motd) // whatever it said, it is being worked on
		w.report.set(map[string]string{wire.KeyPhase: string(wire.Working), wire.KeyOrder: "", wire.KeyError: ""})
		outcome, err := w.operate(ctx)
		if err == nil {
			w.report.set(map[string]string{wire.KeyPhase: string(wire.Leaving), wire.KeyOutcome: string(outcome)})
			if err := w.report.deliver(ctx, w.spec.Patience); err != nil && !errors.Is(err, errGone) {
				fmt.Fprintln(os.Stderr, "lifecycle-node: the work is done, but the outcome could not be reported:", err)
			}
			return w.depart(ctx, wire.Finished, "")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.report.set(map[string]string{wire.KeyPhase: string(wire.Waiting), wire.KeyError: withHint(err)})
		order, err := w.await(ctx)
		if err != nil {
			return err
		}
		if order == wire.Retry || order == wire.Go {
			continue
		}
		if err := w.goBack(ctx); err != nil {
			w.report.set(map[string]string{wire.KeyPhase: string(wire.Waiting), wire.KeyError: withHint(err), wire.KeyOrder: ""})
			_ = w.report.deliver(ctx, time.Minute)
			return w.strand(ctx, err)
		}
		return w.depart(ctx, wire.Aborted, "")
	}
}

// operate does what the run is for.
func (w *worker) operate(ctx context.Context) (json.RawMessage, error) {
	if w.spec.Operation == wire.Move {
		return w.move(ctx)
	}
	return w.remove(ctx)
}

// mayBegin refuses, before anything is drained, what would fail afterwards: an
// etcd member without which its cluster has no quorum, a destination that this
// host cannot join.
func (w *worker) mayBegin(ctx context.Context) error {
	if w.spec.Operation == wire.Move {
		there, err := w.destination()
		if err != nil {
			return err
		}
		if err := there.Check(ctx); err != nil {
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

func withHint(err error) string {
	if hint := plan.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}

// await waits for an order. Where the record is gone, or nobody has given a
// sign of life for as long as the spec's patience, the order is to take the
// way back. An API server that does not answer is nobody's order: only patience
// ends that.
func (w *worker) await(ctx context.Context) (wire.Order, error) {
	last, alive, gone := time.Now(), "", doubt{}
	for {
		_ = w.report.flush(ctx) // the next request tells as much
		state, err := w.api.get(ctx)
		if err == nil {
			if state.Order != "" {
				return state.Order, nil
			}
			if state.Alive != alive {
				last, alive = time.Now(), state.Alive
			}
		}
		if gone.believe(err, time.Now()) || time.Since(last) > w.spec.Patience {
			return wire.Abort, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// depart says the run's last word and takes it off the host. If it is killed on
// the way, the unit starts it again and it goes on with that: nobody has to be told
// that it is gone.
func (w *worker) depart(ctx context.Context, phase wire.Phase, refusal string) error {
	word, err := json.Marshal(farewell{phase, refusal})
	if err == nil {
		err = place(in(lastWord), 0o600, bytes.NewReader(word))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lifecycle-node: write down that the run is over:", err)
	}
	w.report.set(map[string]string{wire.KeyPhase: string(phase), wire.KeyOrder: "", wire.KeyError: refusal})
	if err := w.report.deliver(ctx, w.spec.Patience); err != nil && !errors.Is(err, errGone) {
		fmt.Fprintln(os.Stderr, "lifecycle-node: report the end:", err)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the next start says it
	}
	if err := errors.Join(leave(), askToReload()); err != nil {
		fmt.Fprintln(os.Stderr, "lifecycle-node: take the run off the host:", err)
	}
	return nil
}

// farewell is a run's last word.
type farewell struct {
	Phase   wire.Phase `json:"phase"`
	Refusal string     `json:"refusal,omitempty"`
}

// resumeDeparture goes on with depart where an earlier start did not come to its
// end; what is needed to say anything may be gone already, and then it was said.
func resumeDeparture(ctx context.Context) error {
	raw, err := os.ReadFile(in(lastWord))
	var word farewell
	if err == nil {
		err = json.Unmarshal(raw, &word)
	}
	w, missing := newWorker()
	if err != nil || missing != nil {
		return errors.Join(leave(), askToReload())
	}
	go w.report.serve(ctx)
	return w.depart(ctx, word.Phase, word.Refusal)
}

// strand leaves word on the host where the way back is closed, and goes on
// waiting for a retry.
func (w *worker) strand(ctx context.Context, cause error) error {
	text := fmt.Sprintf("kubectl lifecycle could not finish the %s of node %s on this host:\n%v\n"+
		"Its state is in %s; 'systemctl restart %s' tries again.\n", w.spec.Operation, w.spec.Node, cause, stateDir, unitName)
	fmt.Fprint(os.Stderr, text)
	if err := os.MkdirAll(filepath.Dir(motd), 0o755); err == nil {
		_ = os.WriteFile(motd, []byte(text), 0o644)
	}
	for {
		order, err := w.await(ctx)
		if err != nil {
			return err
		}
		if order == wire.Retry {
			return w.run(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
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
