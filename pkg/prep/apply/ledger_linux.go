// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// DefaultDir holds the ledger. It outlives a cluster: what was prepared may be taken
// back after the host has been removed from it.
const DefaultDir = "/var/lib/kubectl-lifecycle-prep"

const (
	ledgerName   = "changes.json"
	mostOfLedger = 16 << 20
)

// entry is a change, and what was there before it.
type entry struct {
	Change prep.Change `json:"change"`
	Before state       `json:"before"`
}

func (h Host) dir() string {
	if h.Dir != "" {
		return h.Local.Path(h.Dir)
	}
	return h.Local.Path(DefaultDir)
}

func (h Host) ledger() string { return filepath.Join(h.dir(), ledgerName) }

// entries reads the ledger, from the first change on; none if there is none. A
// directory that others than root can write is not believed.
func (h Host) entries() ([]entry, error) {
	if err := trusted(h.dir()); err != nil {
		return nil, err
	}
	raw, err := host.ReadPlain(h.ledger(), mostOfLedger)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []entry
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, plan.Hint(fmt.Errorf("read %s: %w", h.ledger(), err), "what was changed cannot be taken back by itself; look at the file")
	}
	return all, nil
}

// trusted refuses a directory that is not root's own; one that is not there is none.
func trusted(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ownedByUs(info) {
		return plan.Refuse(fmt.Errorf("%s is not a directory that only root can write", dir), "look at what it is, and move it away")
	}
	return nil
}

// remember writes a change down before it is made. What was there before the first
// change of the same thing is what counts.
func (h Host) remember(e entry) error {
	all, err := h.entries()
	if err != nil {
		return err
	}
	for i, known := range all {
		if known.Change.Kind == e.Change.Kind && known.Change.Name == e.Change.Name && known.Change.Path == e.Change.Path &&
			(e.Change.Kind != prep.OpenPort || known.Change.Content == e.Change.Content) {
			all[i].Change = e.Change
			return h.save(all)
		}
	}
	return h.save(append(all, e))
}

func (h Host) save(all []entry) error {
	if err := os.Mkdir(h.dir(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode the ledger: %w", err)
	}
	return replace(h.ledger(), raw, 0o600)
}

// Pending are the changes that Undo would take back, the last one first.
func (h Host) Pending() ([]prep.Change, error) {
	all, err := h.entries()
	var pending []prep.Change
	for i := len(all) - 1; i >= 0; i-- {
		pending = append(pending, all[i].Change)
	}
	return pending, err
}

// Undo takes back what the ledger holds, the last change first. What something else
// has changed since is left as it is. The ledger keeps what could not be taken back,
// and is deleted when it is empty.
func (h Host) Undo(ctx context.Context, report plan.Report) (done []prep.Undone, err error) {
	all, err := h.entries()
	for len(all) > 0 && err == nil {
		last := all[len(all)-1]
		report("taking back: %s", last.Change)
		kept := ""
		if kept, err = h.undo(ctx, last); err != nil {
			return done, fmt.Errorf("take back %q: %w", last.Change.String(), err)
		}
		done = append(done, prep.Undone{Change: last.Change.String(), Kept: kept})
		all = all[:len(all)-1]
		err = h.save(all)
	}
	if err != nil {
		return done, err
	}
	if err := os.Remove(h.ledger()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, err
	}
	if err := os.Remove(h.dir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, err
	}
	return done, nil
}

// undo takes one change back, or says why it keeps it.
func (h Host) undo(ctx context.Context, e entry) (kept string, err error) {
	now, made, err := h.look(ctx, e.Change)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is not there any more", nil
	}
	if err != nil {
		return "", err
	}
	switch e.Change.Kind {
	case prep.RestartUnit, prep.OpenPort:
	default:
		if !made {
			if now == e.Before {
				return "", nil // it was never made, or was taken back already
			}
			return "something else has changed it since", nil
		}
	}
	err = h.back(ctx, e)
	if errors.Is(err, errInUse) {
		return err.Error(), nil
	}
	return "", err
}
