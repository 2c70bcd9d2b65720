// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// stranger is a program of nobody's that is known, which an agent of the cluster's may have
// left: it is ended without its hooks.
func stranger(name, in string) attachment {
	return attachment{inventory.Foreign, name, in, func() error { return nil }, inventory.Foreign,
		"it was loaded since the join, and works on"}
}

// loadedSince reports whether a program was loaded since the join; false where that cannot be
// told. Where one network leaves a node, only what is that network's is of interest.
func (t Network) loadedSince(id ebpf.ProgramID) bool {
	if t.Facts.Joined.IsZero() || t.Scope.Limited() {
		return false
	}
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return false
	}
	defer func() { _ = p.Close() }() // it was read
	info, err := p.Info()
	if err != nil {
		return false
	}
	at, known := info.LoadTime()
	var now unix.Timespec
	if !known || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return false
	}
	return time.Now().Add(at - time.Duration(now.Nano())).After(t.Facts.Joined)
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
		if seen++; seen > mostPins || !d.IsDir() {
			return seen <= mostPins && t.Changed(path)
		}
		entries, _, err := t.Some(path, mostPins-seen)
		return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return within(filepath.Join(path, e.Name()), e.Type()) })
	}
	info, err := t.Lstat(path)
	if err != nil || !within(path, info.Mode()) {
		return ""
	}
	return "it was pinned since the join, and what is pinned works on"
}
