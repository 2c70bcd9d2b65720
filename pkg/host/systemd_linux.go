// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

// unitLimit bounds the stopping of a unit: systemd itself kills after
// TimeoutStopSec, 90 seconds by default.
const unitLimit = 2 * time.Minute

// ErrNoSystemd says that this host is not run by systemd.
var ErrNoSystemd = errors.New("this host is not run by systemd")

// Unit is a systemd unit's state, in systemd's own words.
type Unit struct {
	Name string
	// Load is "loaded", "not-found", "masked" …
	Load string
	// Active is "active", "inactive", "failed", "activating" …
	Active string
	// Enabled is "enabled", "disabled", "static" …; empty if not known.
	Enabled string
	// Fragment is the file it comes from, DropIns the files that change it.
	Fragment string
	DropIns  []string
}

// Running reports whether it does or is about to do anything: a unit that
// waits to be started again counts.
func (u Unit) Running() bool {
	return u.Active != "inactive" && u.Active != "failed" && u.Active != ""
}

// Unit asks systemd about a unit; one that does not exist is no error.
func (l Local) Unit(ctx context.Context, name string) (Unit, error) {
	if l.Exec == nil {
		if _, err := os.Stat("/run/systemd/system"); err != nil { // as sd_booted(3) does
			return Unit{}, ErrNoSystemd
		}
	}
	out, err := l.systemctl(ctx, "show", "--property=LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths", name)
	if err != nil {
		return Unit{}, err
	}
	u := Unit{Name: name}
	for _, line := range strings.Split(out, "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "LoadState":
			u.Load = value
		case "ActiveState":
			u.Active = value
		case "UnitFileState":
			u.Enabled = value
		case "FragmentPath":
			u.Fragment = value
		case "DropInPaths":
			u.DropIns = strings.Fields(value)
		}
	}
	return u, nil
}

// Units lists the loaded units whose names fit a pattern of systemd's
// ("kubepods*.slice"), sorted by it.
func (l Local) Units(ctx context.Context, pattern string) ([]string, error) {
	out, err := l.systemctl(ctx, "list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", pattern)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, line := range strings.Split(out, "\n") {
		if words := strings.Fields(line); len(words) > 0 {
			names = append(names, words[0])
		}
	}
	return names, nil
}

// StopUnit stops a unit and waits until it has ended.
func (l Local) StopUnit(ctx context.Context, names ...string) error {
	_, err := l.systemctl(ctx, append([]string{"stop"}, names...)...)
	return err
}

// StartUnit starts a unit and waits until it has started.
func (l Local) StartUnit(ctx context.Context, name string) error {
	_, err := l.systemctl(ctx, "start", name)
	return err
}

// ReloadUnits makes systemd read its unit files again.
func (l Local) ReloadUnits(ctx context.Context) error {
	_, err := l.systemctl(ctx, "daemon-reload")
	return err
}

// ForgetFailure takes the mark "failed" off a unit, if it has it.
func (l Local) ForgetFailure(ctx context.Context, name string) error {
	_, err := l.systemctl(ctx, "reset-failed", name)
	var bad *CommandError
	if errors.As(err, &bad) && strings.Contains(bad.Output, "not loaded") {
		return nil
	}
	return err
}

func (l Local) systemctl(ctx context.Context, args ...string) (string, error) {
	return l.Run(ctx, Command{Name: "systemctl", Args: args, Timeout: unitLimit})
}
