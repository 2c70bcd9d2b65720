// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/install"
)

// ErrChanged says that a file is not what it was when the change was decided.
var ErrChanged = errors.New("the file was changed in between")

// Host is the machine that is changed.
type Host struct {
	Local host.Local
	// Dir is where the ledger is; empty means DefaultDir.
	Dir string
	// Packages brings packages.
	Packages install.Stage
}

// Recipe is the plan of changes, a step each, and nothing else: what a dry run shows.
func (h Host) Recipe(changes []prep.Change) plan.Plan {
	p := plan.Plan{Title: "prepare the host"}
	for i, c := range changes {
		p.Steps = append(p.Steps, plan.Step{
			ID: fmt.Sprintf("prep/%02d-%s", i+1, c.Kind), Title: upper(c.String()),
			Do: func(ctx context.Context, _ plan.Report) error { return h.make(ctx, c) },
		})
	}
	return p
}

// make remembers what is there and makes one change.
func (h Host) make(ctx context.Context, c prep.Change) error {
	before, made, err := h.look(ctx, c)
	if err != nil || made {
		return err
	}
	if c.Kind == prep.WriteFile && (before.There == c.Absent || !c.Absent && before.Content != c.Before) {
		return plan.Hint(fmt.Errorf("write %s: %w", c.Path, ErrChanged), "run the command again: it reads the file again")
	}
	if err := h.remember(entry{Change: c, Before: before}); err != nil {
		return err
	}
	return h.do(ctx, c, before)
}

// state is what a change finds.
type state struct {
	// There is true of a file that exists, a module that is loaded, a unit that runs, and
	// an installation that was begun earlier.
	There   bool   `json:"there,omitempty"`
	Content string `json:"content,omitempty"`
	// Configured are packages of which the configuration was there, and they were not.
	Configured string `json:"configured,omitempty"`
	Mode       uint32 `json:"mode,omitempty"`
	UID        int    `json:"uid,omitempty"`
	GID        int    `json:"gid,omitempty"`
	// Enabled is a unit's state at boot.
	Enabled string `json:"enabled,omitempty"`
	// Priority is a swap device's.
	Priority string `json:"priority,omitempty"`
}

// look reads what is there, and whether the change is already made.
func (h Host) look(ctx context.Context, c prep.Change) (s state, made bool, err error) {
	switch c.Kind {
	case prep.WriteFile, prep.Own:
		return h.lookAtFile(c)
	case prep.LoadModule:
		_, err := os.Lstat(h.Local.Path("/sys/module/" + c.Name))
		s.There = err == nil
		return s, s.There, nil
	case prep.SetSysctl:
		value, err := host.ReadPlain(h.sysctl(c.Name), 4096)
		s.Content = strings.TrimSpace(string(value))
		return s, err == nil && s.Content == c.Content, err
	case prep.SwapOff:
		s.Priority, s.There, err = h.swapPriority(c.Name)
		return s, !s.There, err
	case prep.MaskUnit, prep.DisableUnit, prep.EnableUnit, prep.RestartUnit:
		unit, err := h.Local.Unit(ctx, c.Name)
		s.There, s.Enabled = unit.Running(), unit.Enabled
		return s, settled(c.Kind, unit), err
	case prep.SetHostname:
		name, err := host.ReadPlain(h.Local.Path("/proc/sys/kernel/hostname"), 4096)
		s.Content = strings.TrimSpace(string(name))
		return s, s.Content == c.Name, err
	case prep.SetTimeZone:
		link, err := os.Readlink(h.Local.Path("/etc/localtime"))
		_, s.Content, _ = strings.Cut(link, "zoneinfo/")
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return s, s.Content == c.Name, err
	case prep.OpenPort:
		s, err = h.lookAtPort(ctx, c)
		return s, false, err
	case prep.InstallPackages, prep.HoldPackages:
		return h.lookAtPackages(ctx, c)
	}
	return s, false, fmt.Errorf("unknown kind of change %q", c.Kind)
}

// settled reports whether a unit is as a change would make it.
func settled(kind prep.Kind, unit host.Unit) bool {
	switch kind {
	case prep.MaskUnit:
		return unit.Load == "masked" && !unit.Running()
	case prep.DisableUnit:
		return unit.Enabled != "enabled" && !unit.Running()
	case prep.EnableUnit:
		return unit.Enabled == "enabled" && unit.Active == "active"
	default:
		return false
	}
}

func (h Host) lookAtFile(c prep.Change) (s state, made bool, err error) {
	path, err := h.place(c.Path)
	if err != nil {
		return s, false, err
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); errors.Is(err, unix.ENOENT) {
		return s, false, nil
	} else if err != nil {
		return s, false, &os.PathError{Op: "stat", Path: c.Path, Err: err}
	}
	s = state{There: true, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}
	if c.Kind == prep.Own {
		return s, s.UID == 0 && s.Mode == c.Mode, nil
	}
	raw, err := host.ReadPlain(path, mostOfFile)
	s.Content = string(raw)
	return s, err == nil && s.Content == c.Content, err
}

// mostOfFile bounds a file that is changed.
const mostOfFile = 1 << 20

// place is where a path of the host lies, links followed; its directory may be
// missing.
func (h Host) place(path string) (string, error) {
	real, err := h.Local.Real(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h.Local.Path(path), nil
	}
	return h.Local.Path(real), err
}

func (h Host) sysctl(name string) string {
	return h.Local.Path("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
}

// swapPriority is the priority of a device in use, as swapon takes it.
func (h Host) swapPriority(device string) (priority string, on bool, err error) {
	swaps, err := host.ReadPlain(h.Local.Path("/proc/swaps"), mostOfFile)
	for _, line := range strings.Split(string(swaps), "\n") {
		if words := strings.Fields(line); len(words) > 4 && words[0] == device {
			return words[4], true, nil
		}
	}
	return "", false, err
}

// write puts a file in place by a rename, so that a reader finds the old one or the
// new one, whole. It has the owner and mode of the state.
func (h Host) write(path string, s state) error {
	place, err := h.place(path)
	if err != nil {
		return err
	}
	if err := host.MakeDir(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	if s.Mode == 0 {
		s.Mode = 0o644
	}
	return replace(place, s)
}

// unfinished is the name of a file that is being written.
const unfinished = ".kubectl-lifecycle-*"

// replace writes a file under another name beside it, and renames it.
func replace(path string, s state) error {
	f, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	_, err = f.WriteString(s.Content)
	if os.Geteuid() == 0 { // before the mode, of which it would take bits
		err = errors.Join(err, f.Chown(s.UID, s.GID))
	}
	err = errors.Join(err, f.Chmod(os.FileMode(s.Mode)), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return host.SyncDir(filepath.Dir(path))
}

// upper begins a title with a capital letter.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
