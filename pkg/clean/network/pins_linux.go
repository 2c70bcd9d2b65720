// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// BPFDir is where the BPF file system is mounted.
const BPFDir = "/sys/fs/bpf"

// Pins are the names that keep BPF programs and maps alive.
func (t Network) Pins() part.Part {
	return part.Part{
		ID: "bpf", Kind: inventory.KindPin, Look: t.lookPins,
		Take: func(ctx context.Context, report plan.Report) error {
			s, err := t.lookPins(ctx)
			if err != nil {
				return err
			}
			for _, it := range s.Goes() {
				if err := t.Remove(it.Name); err != nil {
					return err
				}
				report("unpinned %s", it.Name)
			}
			return part.Left(ctx, t.lookPins)
		},
	}
}

// lookPins looks at the names in the BPF file system, two levels deep, where
// pod networks put theirs. Nothing is there if nothing is mounted.
func (t Network) lookPins(context.Context) (part.Findings, error) {
	var s part.Findings
	var kind unix.Statfs_t
	top := t.Path(BPFDir)
	if err := unix.Statfs(top, &kind); err != nil || kind.Type != unix.BPF_FS_MAGIC {
		if errors.Is(err, unix.ENOENT) {
			err = nil
		}
		return s, err
	}
	owners := ownership.Pins()
	if t.Scope.Takes(inventory.Cilium) && t.Second(inventory.Cilium, inventory.KindPin) {
		s.Add(inventory.Item{
			Kind: inventory.KindMount, Name: BPFDir, Owner: inventory.Cilium, Fate: inventory.Harmless, Detail: "bpf",
			Why: "the BPF file system, which the network mounts where systemd does not; goes with the next boot",
		})
	}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == top {
			return err
		}
		name, _ := filepath.Rel(top, path)
		owner, perhaps := owners.Decide(name, t.Second)
		it := inventory.Item{Kind: inventory.KindPin, Name: filepath.Join(BPFDir, name), Owner: owner, Fate: inventory.Goes}
		if it.Owner != inventory.Foreign {
			s.Add(t.Scope.Spare([]inventory.Item{it})...)
			return skip(d)
		}
		if slices.Contains([]string{"tc", "tc/globals"}, name) {
			t.addShared(&s, path, it.Name)
			return nil
		}
		it.Fate, it.Why = inventory.Stays, "not named as a pod network names its pins"
		it.Refers = t.pinnedSince(it.Name)
		if perhaps != inventory.Foreign && t.Scope.Takes(perhaps) {
			it.Why = ownership.PerhapsWhy(perhaps)
			it.Refers = it.Why
		}
		s.Add(it)
		if strings.Count(name, "/") > 1 || d.IsDir() {
			return skip(d)
		}
		return nil
	})
	return s, err
}

// addShared adds a directory that all share who use tc, if a network has left it empty.
func (t Network) addShared(s *part.Findings, at, name string) {
	if inside, err := os.ReadDir(at); err == nil && len(inside) == 0 && t.Second(inventory.Cilium, inventory.KindPin) {
		s.Add(inventory.Item{
			Kind: inventory.KindPin, Name: name, Owner: inventory.Cilium, Fate: inventory.Harmless, Detail: "empty",
			Why: "made by the first program that uses tc; goes with the next boot",
		})
	}
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// mostPins is how many names of one directory of pins are looked at.
const mostPins = 1024

// pinnedSince says that at a path of the BPF file system, or in it, there is a pin that was
// made since the join; empty if there is none. What systemd and snapd pin is theirs.
func (t Network) pinnedSince(path string) string {
	name := strings.TrimPrefix(path, BPFDir+"/")
	top, _, _ := strings.Cut(name, "/")
	if t.Scope.Limited() || slices.Contains([]string{"systemd", "snap"}, top) {
		return ""
	}
	seen := 0
	var within func(path string, d fs.FileMode) bool
	within = func(path string, d fs.FileMode) bool {
		if seen++; seen > mostPins {
			return true
		}
		if !d.IsDir() {
			return t.Changed(path)
		}
		entries, more, err := t.Some(path, mostPins-seen)
		if more {
			seen = mostPins + 1
		}
		inOne := func(e fs.DirEntry) bool { return within(filepath.Join(path, e.Name()), e.Type()) }
		return err == nil && (more || slices.ContainsFunc(entries, inOne))
	}
	info, err := t.Lstat(path)
	if err != nil || !within(path, info.Mode()) {
		return ""
	}
	if seen > mostPins {
		return fmt.Sprintf("it has more than %d names, and what is pinned works on", mostPins)
	}
	return "it was pinned since the join, and what is pinned works on"
}
