// SPDX-License-Identifier: Apache-2.0

package hostcommand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/ownunit"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

const (
	// Verb is the command by which this program starts itself in the unit.
	Verb = "command"
	// Unit is the name of the unit.
	Unit = "kubectl-lifecycle-command.service"

	copyPrefix = "command."
	orderFile  = "order.json"
	resultFile = "outcome.json"
	// A stream lasts ten minutes at most, of which five without a word.
	answerWithin = 4 * time.Minute
	lookAgain    = 100 * time.Millisecond
	// mostOfFile bounds both files: the outcome holds mostOfOutput, in which each byte may
	// take six in JSON.
	mostOfFile = 2 << 20
)

// site is where a command lives on this host.
type site struct {
	dir   string
	local host.Local
	// begin starts the unit, and running reports whether it runs.
	begin   func(ctx context.Context) error
	running func(ctx context.Context) (bool, error)
	within  time.Duration
}

func here() site {
	s := site{dir: "/run/kubectl-lifecycle-command", within: answerWithin}
	s.begin, s.running = s.beginUnit, s.unitRuns
	return s
}

func (s site) in(name string) string { return filepath.Join(s.dir, name) }

// Answer begins what a delivery says, or asks what has become of it.
func Answer(ctx context.Context, spec wire.Spec) (json.RawMessage, error) {
	var order wire.CommandOrder
	if err := json.Unmarshal(spec.Task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	out, err := here().answer(ctx, order)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// check refuses an order that is none.
func check(order wire.CommandOrder) error {
	switch {
	case !regexp.MustCompile(`^[0-9a-f]{16,64}$`).MatchString(order.ID):
		return errors.New("the order has no id")
	case len(order.Args) > 0 && (order.Limit <= 0 || order.Args[0] == ""):
		return errors.New("the order has no limit, or no program")
	}
	return nil
}

func (s site) answer(ctx context.Context, order wire.CommandOrder) (wire.CommandOutcome, error) {
	if err := check(order); err != nil {
		return wire.CommandOutcome{}, err
	}
	if order.Forget {
		return wire.CommandOutcome{ID: order.ID}, s.forget(ctx, order.ID)
	}
	if len(order.Args) > 0 {
		if err := s.start(ctx, order); err != nil {
			return wire.CommandOutcome{}, err
		}
	}
	return s.outcome(ctx, order.ID), nil
}

// outcome waits for the outcome of a command. From here on nothing is an error: it would be
// told as one of a command that was not begun. Whether the unit runs cannot always be asked
// (systemd restarts itself in an upgrade): then it is asked again.
func (s site) outcome(ctx context.Context, id string) wire.CommandOutcome {
	for deadline := time.Now().Add(s.within); ; {
		running, unasked := s.running(ctx) // first: it ends after the outcome is there
		out, err := s.fetch(id)
		switch {
		case err == nil:
			return out
		case !errors.Is(err, fs.ErrNotExist):
			return wire.CommandOutcome{ID: id, Unknown: true, Error: err.Error()}
		case unasked == nil && !running:
			return wire.CommandOutcome{ID: id, Unknown: true}
		case time.Now().After(deadline):
			return wire.CommandOutcome{ID: id, Running: true}
		}
		select {
		case <-ctx.Done():
			return wire.CommandOutcome{ID: id, Running: true}
		case <-time.After(lookAgain):
		}
	}
}

// forget takes away what is kept of a command whose outcome has arrived.
func (s site) forget(ctx context.Context, id string) error {
	if _, err := s.fetch(id); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is gone, or another command's
		}
		return err
	}
	return s.fetched(ctx)
}

// start writes the order down and begins the unit. What an earlier command has left, which
// was not fetched, goes.
func (s site) start(ctx context.Context, order wire.CommandOrder) error {
	running, err := s.running(ctx)
	if err != nil {
		return err
	}
	if out, err := s.read(resultFile); err == nil && running && out.ID != "" {
		running = false // it only waits to be fetched
		if err := s.fetched(ctx); err != nil {
			return err
		}
	}
	if running {
		return plan.Refuse(errors.New("another command runs on this host"), "wait until it has ended; see: systemctl status %s", Unit)
	}
	if err := s.make(order); err != nil {
		return fmt.Errorf("write the order: %w", err)
	}
	err = s.begin(ctx)
	if err == nil {
		return nil
	}
	// What has failed is perhaps only the wait for systemd: then the outcome tells.
	if running, unasked := s.running(ctx); unasked == nil && !running {
		return errors.Join(fmt.Errorf("begin the unit %s: %w", Unit, err), s.remove())
	}
	return nil
}

// fetched takes the outcome of an earlier command away, and waits until its unit is gone.
func (s site) fetched(ctx context.Context) error {
	if err := s.remove(); err != nil {
		return err
	}
	for {
		running, err := s.running(ctx)
		if err != nil || !running {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookAgain):
		}
	}
}

// make makes the directory, which is root's alone, with the order in it. Of two that begin at
// once one makes it.
func (s site) make(order wire.CommandOrder) error {
	raw, err := json.Marshal(order)
	if err != nil {
		return err
	}
	err = os.Mkdir(s.dir, 0o700)
	if errors.Is(err, fs.ErrExist) && s.stale() {
		if err := s.remove(); err != nil {
			return err
		}
		err = os.Mkdir(s.dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		return plan.Refuse(errors.New("another command is being started on this host"), "run it again in a minute")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(s.in(orderFile), raw, 0o600)
}

// stale reports whether what is in the directory was left by a command whose unit was ended: it
// has an outcome, or is older than a start takes.
func (s site) stale() bool {
	if _, err := os.Lstat(s.in(resultFile)); err == nil {
		return true
	}
	info, err := os.Lstat(s.dir)
	return err == nil && time.Since(info.ModTime()) > time.Minute
}

// remove takes away the files and the directory, and nothing else that may be in it.
func (s site) remove() error {
	var errs []error
	for _, name := range []string{orderFile, resultFile, resultFile + ".new"} {
		if err := os.Remove(s.in(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := os.Remove(s.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// fetch reads the outcome of a command; fs.ErrNotExist where there is none. It stays until the
// asker says that it has arrived: a stream may break under it.
func (s site) fetch(id string) (wire.CommandOutcome, error) {
	out, err := s.read(resultFile)
	switch {
	case err != nil:
		return out, err
	case out.ID != id:
		return wire.CommandOutcome{}, fs.ErrNotExist
	}
	return out, nil
}

func (s site) read(name string) (out wire.CommandOutcome, err error) {
	raw, err := s.local.ReadPlain(s.in(name), mostOfFile)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("decode %s: %w", s.in(name), err)
	}
	return out, nil
}

func (s site) unitRuns(ctx context.Context) (bool, error) {
	u, err := s.local.Unit(ctx, Unit)
	if errors.Is(err, host.ErrNoSystemd) {
		return false, plan.Refuse(err, "a command runs as a unit of systemd's: run it on the host itself")
	}
	return u.Running(), err
}

// beginUnit starts a copy of this program. It says at once whether it could.
func (s site) beginUnit(ctx context.Context) error {
	copied, err := ownunit.Copy(copyPrefix)
	if err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	_, err = s.local.Run(ctx, host.Command{Name: "systemd-run", Args: []string{"--quiet", "--collect", "--unit=" + Unit,
		"--description=kubectl lifecycle runs a command", "--property=Type=exec", "--setenv=PATH=" + os.Getenv("PATH"), copied, Verb}})
	if err != nil {
		return errors.Join(err, os.Remove(copied))
	}
	return nil
}

// save writes the outcome, whole or not at all.
func (s site) save(out wire.CommandOutcome) error {
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.in(resultFile+".new"), raw, 0o600); err != nil {
		return err
	}
	return unix.Rename(s.in(resultFile+".new"), s.in(resultFile))
}
