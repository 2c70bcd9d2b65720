// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// relocation cleans the host and joins it to another cluster.
func relocation() operation {
	return operation{name: wire.Move, run: &run{
		complete: func(spec wire.Spec) error {
			if d := spec.Destination; d == nil || d.Endpoint == "" || d.CA == "" {
				return errors.New("it names no cluster to join")
			}
			return nil
		},
		mayBegin: func(ctx context.Context, w *worker) error {
			there, err := w.destination()
			if err != nil {
				return err
			}
			return there.Check(ctx)
		},
		arrived: func(w *worker) bool {
			before, err := past()
			if err != nil {
				return false
			}
			trace, err := kubeadm.Join{Endpoint: w.spec.Destination.Endpoint, CA: w.spec.Destination.CA}.Look(before)
			return err == nil && trace.Standing() == kubeadm.Arrived // the work meets the error again
		},
		do: func(ctx context.Context, w *worker) (json.RawMessage, error) { return w.move(ctx) },
	}}
}

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
	before, err := past()
	if err != nil {
		return nil, err
	}
	if there.Token == "" && !before.Joined {
		return nil, errors.New("the bootstrap token is empty")
	}
	if joined, err := w.joined(ctx, there); joined || err != nil {
		return moved(nil, err)
	}
	verdict, err := w.remove(ctx)
	if err != nil {
		return nil, err
	}
	if err := place(in(verdictFile), 0o600, bytes.NewReader(verdict)); err != nil {
		return nil, err
	}
	failure := w.join(ctx, there)
	if failure == nil {
		return moved(nil, nil)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if joined, err := w.joined(ctx, there); joined || err != nil {
		return moved(nil, err) // kubeadm gave up on a kubelet that was let in all the same
	}
	if _, err := w.remove(ctx); err != nil {
		return nil, errors.Join(failure, err)
	}
	return moved(failure, nil)
}

// joined reports whether the host has joined, whatever kubeadm says about it. One
// that has joined a third cluster since it was cleaned is refused.
func (w *worker) joined(ctx context.Context, there kubeadm.Join) (bool, error) {
	before, err := past()
	if err != nil {
		return false, err
	}
	standing, err := there.Settle(ctx, before)
	if err == nil && standing == kubeadm.Elsewhere {
		return false, plan.Hint(errors.New("since it was cleaned, this host has joined another cluster, and is not touched"),
			"if it is to stay there, take the run off the host: rm -r %s %s; else remove it from there first", stateDir, unitFile)
	}
	return standing == kubeadm.Arrived, err
}

// join has kubeadm join the host, as one step of the run.
func (w *worker) join(ctx context.Context, there kubeadm.Join) error {
	p := plan.Plan{Title: "Join the other cluster", Steps: []plan.Step{{
		ID: "host/join", Title: "Join the cluster at " + there.Endpoint,
		Do: func(ctx context.Context, report plan.Report) error {
			begun := time.Now()
			report("kubeadm join %s", text.Quote(there.Endpoint))
			if err := there.Do(ctx); err != nil {
				return plan.Begun(err) // whatever kubeadm has begun, the host has left its cluster
			}
			if err := place(in(joinedFile), 0o600, strings.NewReader(there.Endpoint)); err != nil {
				report("the join is not noted on the host, but its kubelet.conf shows it: %v", err)
			}
			report("joined within %s", time.Since(begun).Round(100*time.Millisecond))
			return nil
		},
	}}}
	_, err := p.Run(ctx, w.reporter)
	return err
}

// moved is the outcome of a move as the record carries it; none where it is not
// known whether the host has joined.
func moved(failure, unknown error) (json.RawMessage, error) {
	if unknown != nil {
		return nil, unknown
	}
	verdict, err := host.ReadPlain(in(verdictFile), mostOfState)
	if err == nil && !json.Valid(verdict) {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return nil, plan.Hint(fmt.Errorf("load the verdict: %w", err),
			"what happened is in %s; once you have looked at the host, take the run off it: rm -r %s %s", in(journalName), stateDir, unitFile)
	}
	m := wire.Moved{Verdict: verdict}
	if failure != nil {
		m.Error = report.Cut(failure.Error(), report.MaxText)
	}
	return outcome(m)
}
