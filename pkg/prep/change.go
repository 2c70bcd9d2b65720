// SPDX-License-Identifier: Apache-2.0

package prep

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what is changed.
type Kind string

// The kinds of change.
const (
	// WriteFile writes Content to Path, with Mode.
	WriteFile Kind = "file"
	// Own gives Path to root, with Mode.
	Own Kind = "owner"
	// InstallPackages has the package manager Name install Content: "kubelet=1.36.3-1.1 …".
	InstallPackages Kind = "packages"
	// HoldPackages has it keep the packages of Content from upgrades.
	HoldPackages Kind = "hold"
	// LoadModule loads the kernel module Name.
	LoadModule Kind = "module"
	// SetSysctl sets Name to Content.
	SetSysctl Kind = "sysctl"
	// SwapOff turns the swap device Name off.
	SwapOff Kind = "swapoff"
	// MaskUnit masks the systemd unit Name.
	MaskUnit Kind = "mask"
	// DisableUnit stops the systemd unit Name, and has it not started at boot.
	DisableUnit Kind = "disable"
	// EnableUnit has the systemd unit Name started now and at boot.
	EnableUnit Kind = "enable"
	// RestartUnit restarts the systemd unit Name.
	RestartUnit Kind = "restart"
	// SetHostname names the host.
	SetHostname Kind = "hostname"
	// SetTimeZone sets the host's time zone.
	SetTimeZone Kind = "time zone"
	// OpenPort opens Content (port/protocol) in the firewall Name.
	OpenPort Kind = "port"
)

// kinds are all of them, in the order in which changes are made: files before what
// reads them.
func kinds() []Kind {
	return []Kind{SetHostname, SetTimeZone, WriteFile, InstallPackages, HoldPackages, Own, LoadModule, SetSysctl, MaskUnit, DisableUnit,
		SwapOff, OpenPort, EnableUnit, RestartUnit}
}

func (k Kind) order() int { return slices.Index(kinds(), k) }

// Change is one thing that is changed on a host, and exactly that.
type Change struct {
	Kind Kind `json:"kind"`
	// Name is the module, sysctl, device, unit, firewall, package manager or host name; of a
	// file, what is in it, where its content says nothing to a person.
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	// Content is a file's, a sysctl's value, a port or packages.
	Content string `json:"content,omitempty"`
	// Mode is a file's, as chmod takes it; zero means 0644.
	Mode uint32 `json:"mode,omitempty"`
	// Before is what the file must still hold; a file that has changed since it was
	// read is not written over. Absent is true where there was none.
	Before string `json:"before,omitempty"`
	Absent bool   `json:"absent,omitempty"`
}

// same reports whether two changes change the same to the same.
func (c Change) same(o Change) bool { return c == o }

// String is the change in one line, for a person.
func (c Change) String() string {
	switch c.Kind {
	case WriteFile, InstallPackages, HoldPackages:
		return c.brought()
	case Own:
		return fmt.Sprintf("give %s to root, mode %04o", c.Path, c.Mode)
	case LoadModule:
		return "load the kernel module " + c.Name
	case SetSysctl:
		return fmt.Sprintf("set sysctl %s = %s", c.Name, c.Content)
	case SwapOff:
		return "turn swap off: " + c.Name
	case MaskUnit:
		return "mask the unit " + c.Name
	case DisableUnit:
		return "stop the unit " + c.Name + ", now and at boot"
	case EnableUnit:
		return "start the unit " + c.Name + ", now and at boot"
	case RestartUnit:
		return "restart the unit " + c.Name
	case SetHostname:
		return "name the host " + c.Name
	case SetTimeZone:
		return "set the time zone to " + c.Name
	case OpenPort:
		return fmt.Sprintf("open %s in %s", c.Content, c.Name)
	}
	return string(c.Kind) + " " + c.Name
}

// brought is a change that brings something to the host, for a person.
func (c Change) brought() string {
	switch {
	case c.Kind == InstallPackages:
		return fmt.Sprintf("install with %s: %s", c.Name, strings.ReplaceAll(c.Content, "=", " "))
	case c.Kind == HoldPackages:
		return "hold " + c.Content
	case c.Name != "":
		return fmt.Sprintf("write %s (%s)", c.Path, c.Name)
	case c.Absent:
		return fmt.Sprintf("write %s (%s)", c.Path, summary(c.Content))
	}
	return fmt.Sprintf("change %s (%s)", c.Path, difference(c.Before, c.Content))
}

// summary is the content of a file of ours in a few words: its settings.
func summary(content string) string {
	var kept []string
	for _, line := range strings.Split(content, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			kept = append(kept, line)
		}
	}
	return shortened(kept)
}

// difference are the lines that go and come, as "-" and "+".
func difference(before, after string) string {
	var all []string
	for _, line := range only(before, after) {
		all = append(all, "- "+strings.TrimSpace(line))
	}
	for _, line := range only(after, before) {
		all = append(all, "+ "+strings.TrimSpace(line))
	}
	return shortened(all)
}

// only are the lines of a text that another one has not.
func only(text, other string) (all []string) {
	has := map[string]bool{}
	for line := range strings.SplitSeq(other, "\n") {
		has[line] = true
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.TrimSpace(line) != "" && !has[line] {
			all = append(all, line)
		}
	}
	return all
}

// Shown is a change as it leaves the host: of a file only the lines that go and come. The
// rest is the host's own, and may hold a password (of a share in fstab, of a registry).
func (c Change) Shown() Change {
	switch {
	case c.Kind == WriteFile && c.Name != "": // the name says what it is
		c.Before, c.Content = "", ""
		return c
	case c.Kind != WriteFile || c.Absent:
		return c
	}
	gone, come := only(c.Before, c.Content), only(c.Content, c.Before)
	c.Before, c.Content = within(gone), within(come)
	return c
}

// mostTravels is how much of a file a host sends.
const mostTravels = 4 << 10

// within is the beginning of some lines.
func within(lines []string) string {
	text := strings.Join(lines, "\n")
	return text[:min(len(text), mostTravels)]
}

// mostShown is how many lines of a file a person reads in a plan.
const mostShown = 8

func shortened(lines []string) string {
	if len(lines) > mostShown {
		lines = append(slices.Clone(lines[:mostShown]), fmt.Sprintf("and %d more", len(lines)-mostShown))
	}
	return strings.Join(lines, "; ")
}
