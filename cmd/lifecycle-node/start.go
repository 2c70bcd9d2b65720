// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// moment is what a start of the program finds. Between two starts a host may
// have been switched off for a month, taken back, or copied.
type moment struct {
	// Begun says that the host may have been changed, Done that the work has
	// come to its end and only has to be reported.
	Begun, Done bool
	// Arrived says that it has joined the cluster that it was to move to.
	Arrived bool
	// Held says that the kubelet is kept from starting. Returns says that it
	// could start and would be the node of before.
	Held, Returns bool
	// Record is what the API servers say of the run.
	Record tidings
}

// tidings are what the API servers say of a run.
type tidings int

const (
	silent   tidings = iota // none answers
	underWay                // the record says that the run goes on
	over                    // the record says that the run has ended
	takeBack                // the order is to take it back
	missing                 // there is no such record, for good
)

// next is what a start of the program does.
type next int

const (
	prepare next = iota // say that it is ready, and wait for the order to begin
	goOn                // with the work
	ask                 // wait for what an API server says, and decide again
	back                // take the way back
	tell                // the outcome, and leave
)

// next decides, and is pure. A host in service, whose kubelet is free to run and
// has what it takes, is not touched before the record says so: either nothing was
// done to it yet, or it was taken back and serves pods again, and the run could
// not leave it. One whose kubelet is held runs for no cluster: there the work
// goes on when no API server answers, but not when one says that it was taken back.
func (m moment) next() next {
	switch {
	case m.Done:
		return tell
	case !m.Begun:
		return prepare
	case m.Arrived || !m.Returns:
		return goOn
	case m.Record == over || m.Record == takeBack || m.Record == missing:
		return back
	case m.Record == silent && !m.Held:
		return ask
	}
	return goOn
}

// look finds out which moment this is, but for what the record says.
func (w *worker) look() (moment, error) {
	var m moment
	there, err := past()
	if err != nil {
		return m, err
	}
	if m.Begun, err = begun(); err != nil {
		return m, err
	}
	if m.Done, err = written(outcomeFile); err != nil {
		return m, err
	}
	if m.Done { // a damaged one is none
		_, err = loadOutcome()
		m.Done = err == nil
		if err != nil && !errors.Is(err, errDamaged) {
			return m, err
		}
	}
	t, err := w.target()
	if err != nil {
		return m, err
	}
	m.Arrived = w.run.arrived != nil && w.run.arrived(w)
	m.Held = t.Held()
	returns, err := t.Returns()
	m.Returns = !there.Cleaned && returns
	return m, err
}

// resume asks whose machine and whose run this is, and goes on from there.
func (w *worker) resume(ctx context.Context) error {
	m, err := w.look()
	if err != nil {
		return err
	}
	if m.Begun && !m.Done {
		if m.Record, err = w.hear(ctx, m); err != nil {
			return err
		}
	}
	switch m.next() {
	case tell:
		outcome, err := loadOutcome()
		if err != nil {
			return err
		}
		return w.end(ctx, outcome)
	case prepare:
		return w.ready(ctx)
	case back:
		return w.wayBack(ctx)
	case goOn, ask:
	}
	return w.work(ctx)
}

// hearLimit bounds one round through all API servers, so that many of them that do
// not answer do not keep a host waiting whose kubelet is held.
const hearLimit = 15 * time.Second

// hear asks for the record until there is something to go by: an answer, or none
// where none is needed. A host in service that hears nothing for as long as the
// spec's patience is left as it is.
func (w *worker) hear(ctx context.Context, m moment) (tidings, error) {
	since, gone := time.Now(), report.GoneDetector{}
	for {
		asking, cancel := context.WithTimeout(ctx, hearLimit)
		state, err := w.api.Get(asking)
		cancel()
		m.Record = tidingsOf(state, err, gone.Believe(err, time.Now()))
		// What is not believed yet is waited for, where it decides anything.
		wait := errors.Is(err, report.ErrGone) && m.Record == silent && m.Returns && !m.Arrived
		if !wait && m.next() != ask {
			return m.Record, nil
		}
		if time.Since(since) > w.spec.Patience {
			return missing, nil
		}
		select {
		case <-ctx.Done():
			return silent, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// tidingsOf is what an answer about the record means; it is pure.
func tidingsOf(state wire.State, err error, gone bool) tidings {
	switch {
	case gone:
		return missing
	case err != nil:
		return silent
	case state.Order == wire.Abort:
		return takeBack
	}
	switch state.Phase {
	case wire.Leaving, wire.Finished, wire.Aborted:
		return over
	case wire.Preparing, wire.Ready, wire.Working, wire.Waiting:
	}
	return underWay
}

// ownMachine refuses a machine that has a copy of this run: another one than that
// on which it was begun, or one whose kubelet is another node's.
func ownMachine(spec wire.Spec) error {
	var was host.Signs
	raw, err := host.ReadPlain(in(signsFile), mostOfState)
	if err == nil {
		err = json.Unmarshal(raw, &was)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return plan.Refuse(fmt.Errorf("cannot determine whether this is the machine on which the %s of node %s was begun: read %s: %w",
			spec.Operation, spec.Node, in(signsFile), err),
			"if it is: rm -r %s; systemctl restart %s", in(signsFile), unitName)
	}
	if by, another := was.Another(host.Local{}.Signs()); another {
		return plan.Refuse(fmt.Errorf("this is another machine than the one on which the %s of node %s was begun: %s", spec.Operation, spec.Node,
			by),
			"if it has a copy of that machine's disk, take the run off it: rm -r %s %s; if it is the same with a new board, tell it so: rm %s; "+
				"systemctl restart %s",
			stateDir, unitFile, in(signsFile), unitName)
	}
	name, err := kubeletName("/var/lib/kubelet/pki/kubelet-client-current.pem")
	damaged := errors.Is(err, host.ErrNotRegular) || errors.Is(err, host.ErrTooLarge) // it names no node
	if err != nil && !damaged {
		return plan.Refuse(fmt.Errorf("cannot determine whose machine this is: read the kubelet's certificate: %w", err),
			"see why it cannot be read: on the host, journalctl -k; once it can: systemctl restart %s", unitName)
	}
	if err == nil && name != "" && name != spec.Node {
		return plan.Refuse(fmt.Errorf("the kubelet of this machine is node %s, and the run is the %s of node %s", name, spec.Operation,
			spec.Node),
			"take the run off this machine: rm -r %s %s", stateDir, unitFile)
	}
	return nil
}
