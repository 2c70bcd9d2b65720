// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
func loadSpec() (wire.Spec, error) {
	var spec wire.Spec
	raw, err := host.ReadPlain(in(specFile), maxDelivery)
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return spec, plan.Refuse(fmt.Errorf("decode %s: %w", in(specFile), err), "it is damaged, and nothing is done; take the run off this host: rm -r %s %s", stateDir, unitFile)
	}
	return spec, nil
}

// loadOutcome reads what the work has come to; an error where it is not done.
func loadOutcome() (json.RawMessage, error) {
	raw, err := host.ReadPlain(in(outcomeFile), mostOfState)
	if err == nil && !json.Valid(raw) {
		err = fmt.Errorf("%s is damaged", in(outcomeFile))
	}
	return raw, err
}

// loadLastWord reads in which phase the run has ended.
func loadLastWord() (farewell, error) {
	var word farewell
	raw, err := host.ReadPlain(in(lastWord), mostOfState)
	if err == nil {
		err = json.Unmarshal(raw, &word)
	}
	if err == nil && word.Phase != wire.Finished && word.Phase != wire.Aborted {
		err = fmt.Errorf("%q is no last word", word.Phase)
	}
	return word, err
}

// past is what is written down about a move. What is there counts, whatever is in
// it: these files are only ever written whole.
func past() kubeadm.Past {
	there := func(name string) bool {
		_, err := os.Lstat(in(name))
		return err == nil
	}
	return kubeadm.Past{Joined: there(joinedFile), Cleaned: there(verdictFile)}
}
