// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// defaultGrace is how long an API server may be out of reach after that.
	defaultGrace = 90 * time.Second
	// reachEvery is how often it is asked.
	reachEvery = 2 * time.Second
)

// deadman brings rules back if their deletion cut the host off: what let new
// connections in or out may have been a rule of ours in front of a
// foreign policy DROP. It brings back only what was deleted, never a whole snapshot:
// others change rules, too. What was deleted is on disk before it is deleted,
// so that a program that is killed in between finds it.
//
// Whole tables of Kubernetes' own do not come back: to delete a table can only
// open what it closed, and translations of services, which the program does not
// use.
type deadman struct {
	Filter
	gone []netfilter.Deletion
}

// pending reports whether a deletion of an earlier start is unsettled.
func (t Filter) pending() (bool, error) { return t.Saved(part.DeletedFile) }

// arm begins watching; it is nil if the API server could not be reached before,
// which proves nothing.
func (t Filter) arm(ctx context.Context, report plan.Report) *deadman {
	if t.Reach == nil {
		return nil
	}
	if err := t.Reach(ctx); err != nil {
		report("the API server is unreachable already (%v): losing it cannot be detected", err)
		return nil
	}
	return &deadman{Filter: t}
}

// before notes a deletion that is about to be made.
func (d *deadman) before(deletion netfilter.Deletion) error {
	if d == nil || deletion.Whole {
		return nil
	}
	d.gone = append(d.gone, deletion.Kept())
	return d.write()
}

// failed takes the last one back: it has not happened.
func (d *deadman) failed(deletion netfilter.Deletion) error {
	if d == nil || deletion.Whole {
		return nil
	}
	d.gone = d.gone[:len(d.gone)-1]
	return d.write()
}

// write writes what was deleted: a line of JSON that says what, and the tables that
// it was in.
func (d *deadman) write() error {
	bare := slices.Clone(d.gone)
	for i := range bare {
		bare[i].Table.Chains = nil
	}
	what, err := json.Marshal(bare)
	if err != nil {
		return err
	}
	return d.SaveBy(part.DeletedFile, func(to *bufio.Writer) {
		_, _ = to.Write(append(what, '\n'))
		for _, deletion := range d.gone {
			deletion.Table.Print(to)
		}
	})
}

// readDeleted reads what write has written.
func readDeleted(from *bufio.Reader) ([]netfilter.Deletion, error) {
	line, err := from.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var gone []netfilter.Deletion
	if err := json.Unmarshal(line, &gone); err != nil {
		return nil, err
	}
	tables, err := netfilter.ReadTables(from)
	if err == nil && len(tables) != len(gone) {
		err = fmt.Errorf("%d tables for %d deletions", len(tables), len(gone))
	}
	if err != nil {
		return nil, err
	}
	for i := range gone {
		gone[i].Table.Chains = tables[i].Chains
	}
	return gone, nil
}

// settle waits until a new connection reaches the API server, or brings back
// what was deleted.
func (d *deadman) settle(ctx context.Context, report plan.Report) error {
	if d == nil || len(d.gone) == 0 {
		return nil
	}
	err := d.reached(ctx, report)
	if err == nil || ctx.Err() != nil { // not judged yet: the next start does
		return errors.Join(err, d.forget(err == nil))
	}
	var errs []error
	for _, deletion := range slices.Backward(d.gone) {
		if undo := netfilter.Restore(ctx, d.Local, deletion); undo != nil {
			errs = append(errs, undo)
			continue
		}
		report("brought back what was deleted from table %s", deletion.Table)
	}
	if len(errs) > 0 {
		return plan.Hint(fmt.Errorf("without the rules that were deleted no API server is reached (%w), and they could not be brought back: %w",
			err, errors.Join(errs...)),
			"they are in %s on the host", filepath.Join(d.StateDir, part.DeletedFile))
	}
	return errors.Join(plan.Hint(fmt.Errorf("without the rules that were deleted no API server is reached (%w), so they are back", err),
		"find out which of them let the host's own connections pass, and give the host a rule for that; or take this back and leave all rules "+
			"alone: remove --firewall=none"), d.forget(true))
}

// reached asks until a new connection works.
func (d *deadman) reached(ctx context.Context, report plan.Report) error {
	grace := d.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	limit, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	tick := time.NewTicker(min(reachEvery, grace/4))
	defer tick.Stop()
	said := false
	for {
		err := d.Reach(limit)
		if err == nil {
			return nil
		}
		if !said {
			report("waiting up to %s for the API server, which is unreachable since the rules were deleted", grace)
			said = true
		}
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		case <-tick.C:
		}
	}
}

// forget removes the note of what was deleted, once that is settled.
func (d *deadman) forget(settled bool) error {
	if !settled {
		return nil
	}
	return d.Unsave(part.DeletedFile)
}

// PutBack is the way back for what an earlier start deleted and did not live to judge: it stays
// deleted only if an API server is reached.
func (t Filter) PutBack(ctx context.Context) error {
	d, err := t.unsettled()
	if err == nil {
		err = d.settle(ctx, func(string, ...any) {})
	}
	if left, unread := t.pending(); !left && unread == nil {
		return nil // it was reached, or they are back
	}
	return err
}

// unsettled is what an earlier start deleted and did not live to settle; nil if
// there is nothing.
func (t Filter) unsettled() (*deadman, error) {
	if t.StateDir == "" || t.Reach == nil {
		return nil, nil
	}
	d := &deadman{Filter: t}
	f, err := os.Open(filepath.Join(t.Path(t.StateDir), part.DeletedFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		defer func() { _ = f.Close() }()
		d.gone, err = readDeleted(bufio.NewReader(f))
	}
	if err != nil {
		return nil, fmt.Errorf("read what was deleted from the packet filter: %w", err)
	}
	return d, nil
}
