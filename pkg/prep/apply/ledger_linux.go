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
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
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

// remember writes a change down before it is made. Of changes of the same thing that
// follow each other, what was there before the first is what counts. Where something
// else has changed the thing in between, that is what was there before, and the earlier
// entry stays as it is: an undo finds that it is not its to take back.
func (h Host) remember(e entry) error {
	all, err := h.entries()
	if err != nil {
		return err
	}
	for i, known := range slices.Backward(all) {
		if !known.about(e.Change) {
			continue
		}
		if known.left(e.Before) {
			all[i].Change = e.Change
			return h.save(all)
		}
		break
	}
	return h.save(append(all, e))
}

// about reports whether an entry is of the same thing as a change.
func (e entry) about(c prep.Change) bool {
	return e.Change.Kind == c.Kind && e.Change.Name == c.Name && e.Change.Path == c.Path &&
		(!named(c.Kind) || e.Change.Content == c.Content)
}

// named reports whether the content of a change is what it is about: of two installations,
// which packages.
func named(kind prep.Kind) bool {
	return kind == prep.OpenPort || kind == prep.InstallPackages || kind == prep.HoldPackages
}

// left reports whether a state is what an entry has left behind: its change made, or
// not begun. A unit, a module and a port have no content of their own.
func (e entry) left(s state) bool {
	switch e.Change.Kind {
	case prep.WriteFile:
		return s.There && s.Content == e.Change.Content || s.There == e.Before.There && s.Content == e.Before.Content
	case prep.SetSysctl:
		return s.Content == e.Change.Content || s.Content == e.Before.Content
	case prep.SetHostname, prep.SetTimeZone:
		return s.Content == e.Change.Name || s.Content == e.Before.Content
	default:
		return true
	}
}

func (h Host) save(all []entry) error {
	switch err := os.Mkdir(h.dir(), 0o700); {
	case err == nil:
		if err := host.SyncDir(filepath.Dir(h.dir())); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode the ledger: %w", err)
	}
	return replace(h.ledger(), state{Content: string(raw), Mode: 0o600})
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

// Undo takes back what the ledger holds, the last change first, in turns: see turn. What
// something else has changed since is left as it is. What cannot be taken back, or not yet,
// stays in the ledger and does not keep the rest; the error names it. The ledger is deleted
// when it is empty.
func (h Host) Undo(ctx context.Context, report plan.Report) (done []prep.Undone, err error) {
	all, err := h.entries()
	if err != nil {
		return nil, err
	}
	var failed []error
	for turn := range turns {
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].turn() != turn || all[i].waits(all) {
				continue
			}
			one := all[i]
			report("taking back: %s", one.Change)
			kept, err := h.undo(ctx, one)
			if err != nil {
				failed = append(failed, fmt.Errorf("take back %q: %w", one.Change.String(), err))
				if ctx.Err() != nil {
					return done, errors.Join(failed...)
				}
				continue
			}
			done = append(done, prep.Undone{Change: one.Change.String(), Kept: kept})
			all = slices.Delete(all, i, i+1)
			if err := h.save(all); err != nil {
				return done, errors.Join(append(failed, err)...)
			}
		}
	}
	if len(all) > 0 {
		return done, plan.Hint(errors.Join(failed...), "mend what each of them says, and run the command again: %s keeps what is left",
			h.ledger())
	}
	return done, h.forget()
}

// turns is how many turns an undo has.
const turns = 3

// turn is when a change is taken back: units are restarted last, so that they read what was
// restored; what guards packages goes after them.
func (e entry) turn() int {
	switch {
	case e.Change.Kind == prep.RestartUnit:
		return 2
	case e.guards():
		return 1
	}
	return 0
}

// guards reports whether a change is one that packages need as long as they are there: their
// hold, and the repository that they are upgraded from.
func (e entry) guards() bool {
	return e.Change.Kind == prep.HoldPackages || e.Change.Kind == prep.WriteFile && packages.RepositoryFile(e.Change.Path)
}

// waits reports whether a change stays because packages do that could not be removed yet.
func (e entry) waits(all []entry) bool {
	return e.guards() && slices.ContainsFunc(all, func(o entry) bool { return o.Change.Kind == prep.InstallPackages })
}

// forget deletes the ledger, with what a power cut has left of a write.
func (h Host) forget() error {
	names, err := filepath.Glob(filepath.Join(h.dir(), unfinished))
	for _, name := range append(names, h.ledger()) {
		if gone := os.Remove(name); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if gone := os.Remove(h.dir()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
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
	case prep.RestartUnit, prep.OpenPort, prep.InstallPackages, prep.HoldPackages: // each of its parts is looked at
	default:
		if !made {
			if now == e.Before {
				return "", nil // it was never made, or was taken back already
			}
			return "something else has changed it since", nil
		}
	}
	err = h.back(ctx, e)
	var left *leftAlone
	if errors.As(err, &left) {
		return left.why, nil
	}
	return "", err
}
