// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// mostOfState bounds what is read of a run's own files: an inventory of tens of
// thousands of rules.
const mostOfState = 64 << 20

// place writes a file whole or not at all, and durably: when it returns, the file
// has its name on the disk. What it could not write leaves nothing behind.
func place(path string, mode os.FileMode, from io.Reader) error {
	temp := path + ".new"
	if err := removeIf(temp); err != nil {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, copyErr := io.Copy(f, from)
	if err := errors.Join(copyErr, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), removeIf(temp))
	}
	if mode&0o100 != 0 {
		label(temp)
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, removeIf(temp))
	}
	return host.SyncDir(filepath.Dir(path))
}

// loadSpec reads what is to be done.
func loadSpec(all []operation) (wire.Spec, operation, error) {
	raw, err := host.ReadPlain(in(specFile), maxDelivery)
	if err != nil && !errors.Is(err, host.ErrTooLarge) && !errors.Is(err, host.ErrNotRegular) {
		return wire.Spec{}, operation{}, err
	}
	return decodeSpec(raw, all)
}

// peekSpec reads as much of a run's spec as tells whose it is.
func peekSpec() (spec wire.Spec, err error) {
	raw, err := host.ReadPlain(in(specFile), maxDelivery)
	if err == nil {
		err = json.Unmarshal(raw, &spec)
	}
	return spec, err
}

// decodeSpec refuses a spec that is damaged: what cannot be read must not be taken
// for an order to clean.
func decodeSpec(raw []byte, all []operation) (spec wire.Spec, op operation, err error) {
	if err = json.Unmarshal(raw, &spec); err == nil {
		_, err = orderOf(spec)
	}
	if err == nil {
		op, err = complete(spec, all)
	}
	if err == nil {
		return spec, op, nil
	}
	return spec, op, plan.Refuse(fmt.Errorf("what was to be done on this host is damaged (%s): %w", in(specFile), err),
		"nothing is done; take the run off this host: rm -r %s %s, and start the kubelet again: rm -f %s; systemctl daemon-reload; systemctl "+
			"start kubelet",
		stateDir, unitFile, inventory.HoldFile)
}

// complete returns the operation of a spec, or the error of one that lacks what every
// run has, or what this one takes.
func complete(spec wire.Spec, all []operation) (operation, error) {
	op, known := find(all, spec.Operation)
	switch {
	case !known || op.run == nil:
		return op, fmt.Errorf("unknown operation %q", spec.Operation)
	case spec.Node == "":
		return op, errors.New("it names no node")
	case spec.Record.Name == "" || spec.Record.Namespace == "" || spec.Record.UID == "":
		return op, errors.New("it names no record")
	case len(spec.Endpoints) == 0 || spec.CA == "":
		return op, errors.New("it names no API server")
	case spec.Patience <= 0:
		return op, errors.New("it has no patience")
	case op.run.complete != nil:
		return op, op.run.complete(spec)
	}
	return op, nil
}

// errDamaged is why a file counts for nothing that is there and has no sense.
const errDamaged = damage("it is damaged")

type damage string

func (d damage) Error() string { return string(d) }

// loadOutcome reads what the work has come to; an error where it is not done.
func loadOutcome() (json.RawMessage, error) {
	raw, err := host.ReadPlain(in(outcomeFile), mostOfState)
	if err == nil && !json.Valid(raw) {
		err = fmt.Errorf("%s: %w", in(outcomeFile), errDamaged)
	}
	return raw, err
}

// loadLastWord reads in which phase the run has ended.
func loadLastWord() (ending, error) {
	raw, err := host.ReadPlain(in(lastWord), mostOfState)
	if err != nil {
		return ending{}, err
	}
	return decodeLastWord(raw)
}

func decodeLastWord(raw []byte) (word ending, err error) {
	err = json.Unmarshal(raw, &word)
	if err == nil && word.Phase != wire.Finished && word.Phase != wire.Aborted {
		err = fmt.Errorf("%q is no last word", word.Phase)
	}
	return word, err
}

// past is what is written down about a move. What is there counts, whatever is in
// it: these files are only ever written whole.
func past() (kubeadm.Past, error) {
	joined, err := written(joinedFile)
	cleaned, err2 := written(verdictFile)
	return kubeadm.Past{Joined: joined, Cleaned: cleaned}, errors.Join(err, err2)
}

// written reports whether a file of the run's is there. A disk that does not answer says
// neither yes nor no.
func written(name string) (bool, error) {
	_, err := os.Lstat(in(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for what the run has written down: %w", err)
	}
	return true, nil
}
