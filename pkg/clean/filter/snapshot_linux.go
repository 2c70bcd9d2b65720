// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"bufio"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/netfilter"
)

const (
	// snapshotFile is the packet filter as it was before a removal touched it.
	snapshotFile = "packet-filter.txt"
	// aheadFile is the same as it was while the kernel unmounted; it gets the other
	// name if nothing has changed by the time that the first rule is deleted.
	aheadFile = "packet-filter-ahead.txt"
)

// beginFilter reads the packet filter and writes it down while something else is
// done. What has changed by the time that it is needed is read and written again.
func (t Filter) beginFilter(ctx context.Context, f *reader) {
	f.ahead.Wait() // for what an earlier attempt began
	f.ahead.Go(func() {
		var s part.Findings
		tables := f.read(ctx, &s)
		saved, err := t.Saved(snapshotFile)
		if len(s.Unchecked) > 0 || t.Choices.Firewall == inventory.FirewallNone || saved || err != nil {
			return // who needs it tries again
		}
		if t.saveTables(aheadFile, tables) == nil { // the same
			f.noted, f.work = tables, len(t.deletions(f, tables)) > 0
		}
	})
}

// snapshot writes the whole packet filter down before the first change, once
// per removal: what a resumed one finds is not the state before it.
func (t Filter) snapshot(f *reader, tables []netfilter.Table) error {
	if saved, err := t.Saved(snapshotFile); err != nil || saved {
		return err
	}
	dir := t.Path(t.StateDir)
	if slices.EqualFunc(f.noted, tables, unchanged) && os.Rename(filepath.Join(dir, aheadFile), filepath.Join(dir, snapshotFile)) == nil {
		return nil
	}
	return errors.Join(t.Unsave(aheadFile), t.saveTables(snapshotFile, tables))
}

// unchanged reports whether a table is as it was. Of nf_tables the kernel tells.
func unchanged(before, now netfilter.Table) bool {
	same := before.String() == now.String() && before.Generation == now.Generation
	return same && (now.Backend == netfilter.Nft || reflect.DeepEqual(before, now))
}

func (t Filter) saveTables(name string, tables []netfilter.Table) error {
	return t.SaveBy(name, func(to *bufio.Writer) {
		for _, table := range tables {
			table.Print(to)
		}
	})
}
