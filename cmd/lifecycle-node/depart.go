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
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// depart says the run's last word and takes it off the host. If it is killed on
// the way, the unit starts it again and it goes on with that: no one has to be told
// that it is gone.
func (w *worker) depart(ctx context.Context, phase wire.Phase, refusal string) error {
	word, err := json.Marshal(ending{phase, refusal})
	if err == nil {
		err = place(in(lastWord), 0o600, bytes.NewReader(word))
	}
	if err != nil {
		// Then nothing may start it again that would take this for work to go on
		// with. Where not even that can be removed, the next start finds a host in
		// service, and asks.
		report.Complain("write down that the run is over: %v", errors.Join(err, removeUnit(), removeIf(in(begunFile))))
	}
	w.reporter.Set(map[string]string{wire.KeyPhase: string(phase), wire.KeyOrder: "", wire.KeyError: refusal})
	if err := w.reporter.Deliver(ctx, w.spec.Patience); err != nil && !errors.Is(err, report.ErrGone) {
		report.Complain("report the end: %v", err)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the next start says it
	}
	if err := errors.Join(leave(), askToReload()); err != nil {
		report.Complain("take the run off the host: %v", err)
	}
	return nil
}

// ending is a run's last word.
type ending struct {
	Phase   wire.Phase `json:"phase"`
	Refusal string     `json:"refusal,omitempty"`
}

// resumeDeparture goes on with depart where an earlier start did not come to its
// end; what is needed to say anything may be gone already, and then it was said.
func resumeDeparture(ctx context.Context, all []operation) error {
	word, err := loadLastWord()
	w, missing := newWorker(all)
	switch {
	case missing != nil: // it has been said
		return errors.Join(leave(), askToReload())
	case err != nil: // it is damaged: nothing was said, and the run goes on as if
		if err := os.Remove(in(lastWord)); err != nil {
			return err
		}
		go w.reporter.Serve(ctx)
		return w.resume(ctx)
	}
	go w.reporter.Serve(ctx)
	return w.depart(ctx, word.Phase, word.Refusal)
}

// strand leaves word on the host where the way back is closed, and goes on
// waiting for a retry.
func (w *worker) strand(ctx context.Context, cause error) error {
	notice(plan.Hint(fmt.Errorf("kubectl lifecycle could not finish the %s of node %s on this host: %s", w.spec.Operation, w.spec.Node,
		report.WithHint(cause)),
		"its state is in %s; 'systemctl restart %s' tries again", stateDir, unitName))
	for {
		order, err := w.await(ctx)
		if err != nil {
			return err
		}
		if order == wire.Retry {
			return w.work(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
		}
	}
}

// notice says on the host why it was left as it is: in the
// journal, and where logins read it.
func notice(err error) {
	said := text.Sprintf("%s\n", report.WithHint(err))
	_ = text.Fprintf(os.Stderr, "%s", text.Safe(said))
	if err := os.MkdirAll(filepath.Dir(motd), 0o755); err == nil {
		_ = os.WriteFile(motd, []byte(said), 0o644)
	}
}
