// SPDX-License-Identifier: Apache-2.0

package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// makeDropIns makes the directory of the kubelet's drop-ins where there is none. That is
// written down first: one that is there, also an empty one or a link to one, is an
// administrator's, and stays.
func (t Control) makeDropIns() error {
	if is, err := t.Exists(inventory.DropIns); err != nil || is {
		return err
	}
	if err := t.Save(part.DropInsFile, nil); err != nil {
		return err
	}
	in := t.Path(filepath.Dir(inventory.DropIns))
	if err := host.MakeDir(in, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(t.Path(inventory.DropIns), 0o755); !errors.Is(err, fs.ErrExist) {
		return errors.Join(err, host.SyncDir(in))
	}
	return t.Unsave(part.DropInsFile) // another has made it just now
}

// lookDropIns adds that directory if it goes: a removal made it, and the hold is all that is in it.
func (t Control) lookDropIns(s *part.Findings) {
	made, err := t.Saved(part.DropInsFile)
	names, err2 := t.Names(inventory.DropIns)
	s.Missed(inventory.KindDir, inventory.DropIns, errors.Join(err, err2))
	foreign := func(name string) bool {
		path := filepath.Join(inventory.DropIns, name)
		return path != inventory.HoldFile && path != part.Unfinished(inventory.HoldFile)
	}
	if made && t.IsDir(inventory.DropIns) && !slices.ContainsFunc(names, foreign) {
		s.Add(inventory.Item{
			Kind: inventory.KindDir, Name: inventory.DropIns, Owner: inventory.Lifecycle, Fate: inventory.Goes,
			Turn: inventory.AsHold, Manner: inventory.IfEmpty, Detail: "made for the hold on the kubelet",
		})
	}
}
