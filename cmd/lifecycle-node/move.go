// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// destination is the cluster that this host is to join.
func (w *worker) destination() (kubeadm.Join, error) {
	d := w.spec.Destination
	if d == nil {
		return kubeadm.Join{}, errors.New("the spec names no cluster to join")
	}
	token, err := trimmed(in("join-token"))
	if err != nil {
		return kubeadm.Join{}, fmt.Errorf("load the bootstrap token: %w", err)
	}
	t, err := w.target()
	return kubeadm.Join{
		Endpoint: d.Endpoint, CA: d.CA, Pins: d.Pins, Token: token, File: in("join.json"), Node: w.spec.Node,
		CRISocket: t.Facts.CRISocket, Version: d.Version, IgnorePreflightErrors: d.IgnorePreflightErrors,
	}, err
}

// move cleans the host and joins it to the other cluster. Where it cannot join
// the host is cleaned once more, of what the attempt has left: that is no
// failure of the run, which is over, but part of its outcome. It may be started
// again at any point: a host that has joined is never cleaned.
func (w *worker) move(ctx context.Context) (json.RawMessage, error) {
	there, err := w.destination()
	if err != nil {
		return nil, err
	}
	joined, err := there.Joined(ctx)
	if err != nil {
		return nil, err
	}
	if joined {
		return moved(nil)
	}
	verdict, err := w.remove(ctx)
	if err != nil {
		return nil, err
	}
	if err := place(in("verdict.json"), 0o600, strings.NewReader(string(verdict))); err != nil {
		return nil, err
	}
	if err := w.join(ctx, there); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, cleanErr := w.remove(ctx); cleanErr != nil {
			return nil, errors.Join(err, cleanErr)
		}
		return moved(err)
	}
	return moved(nil)
}

// join has kubeadm join the host, as one step of the run.
func (w *worker) join(ctx context.Context, there kubeadm.Join) error {
	p := plan.Plan{Title: "Join the other cluster", Steps: []plan.Step{{
		ID: "host/join", Title: "Join the cluster at " + there.Endpoint,
		Do: func(ctx context.Context, report plan.Report) error {
			begun := time.Now()
			report("kubeadm join %s", text.Quote(there.Endpoint))
			if err := there.Do(ctx); err != nil {
				return err
			}
			report("joined within %s", time.Since(begun).Round(100*time.Millisecond))
			return nil
		},
	}}}
	_, err := p.Run(ctx, w.report)
	return err
}

// moved is the outcome of a move as the record carries it.
func moved(joinErr error) (json.RawMessage, error) {
	verdict, err := os.ReadFile(in("verdict.json"))
	if err != nil {
		return nil, fmt.Errorf("load the verdict: %w", err)
	}
	m := wire.Moved{Verdict: verdict}
	if joinErr != nil {
		m.Error = joinErr.Error()
	}
	return outcome(m)
}
