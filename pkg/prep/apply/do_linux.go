// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// slow is how long swap may take to be read back into memory.
const slow = 5 * time.Minute

// do makes one change. A file keeps the owner that it had before.
func (h Host) do(ctx context.Context, c prep.Change, before state) error {
	switch c.Kind {
	case prep.WriteFile:
		return h.write(c.Path, state{Content: c.Content, Mode: c.Mode, UID: before.UID, GID: before.GID})
	case prep.Own:
		return h.own(c.Path, state{Mode: c.Mode})
	case prep.LoadModule:
		return h.run(ctx, "modprobe", "--", c.Name)
	case prep.SetSysctl:
		return h.setSysctl(c.Name, c.Content)
	case prep.SwapOff:
		_, err := h.Local.Run(ctx, host.Command{Name: "swapoff", Args: []string{"--", c.Name}, Timeout: slow})
		return err
	case prep.MaskUnit:
		return h.run(ctx, "systemctl", "mask", "--now", c.Name)
	case prep.DisableUnit:
		return h.run(ctx, "systemctl", "disable", "--now", c.Name)
	case prep.EnableUnit:
		return h.run(ctx, "systemctl", "enable", "--now", c.Name)
	case prep.RestartUnit:
		return h.run(ctx, "systemctl", "restart", c.Name)
	case prep.SetHostname:
		return h.run(ctx, "hostnamectl", "set-hostname", c.Name)
	case prep.SetTimeZone:
		return h.run(ctx, "timedatectl", "set-timezone", c.Name)
	case prep.OpenPort:
		return h.openPort(ctx, c)
	case prep.InstallPackages:
		return h.packages().Install(ctx, packages.Parse(c.Content), before.There)
	case prep.HoldPackages:
		return h.packages().Hold(ctx, strings.Fields(c.Content))
	}
	return fmt.Errorf("unknown kind of change %q", c.Kind)
}

// back restores what was there before a change.
func (h Host) back(ctx context.Context, e entry) error { //nolint:cyclop // a case a kind of change, and no more
	c, s := e.Change, e.Before
	switch c.Kind {
	case prep.WriteFile:
		if s.There {
			return h.write(c.Path, s)
		}
		place, err := h.place(c.Path)
		if err != nil {
			return err
		}
		return os.Remove(place)
	case prep.Own:
		return h.own(c.Path, s)
	case prep.LoadModule:
		err := h.run(ctx, "modprobe", "-r", "--", c.Name)
		var bad *host.CommandError
		if errors.As(err, &bad) && strings.Contains(bad.Output, "in use") {
			return &leftAlone{"it is in use"}
		}
		return err
	case prep.SetSysctl:
		return h.setSysctl(c.Name, s.Content)
	case prep.SwapOff:
		return h.swapOn(ctx, c.Name, s.Priority)
	case prep.MaskUnit:
		return h.unmask(ctx, c.Name, s)
	case prep.DisableUnit:
		return h.enable(ctx, c.Name, s)
	case prep.EnableUnit:
		return h.disable(ctx, c.Name, s)
	case prep.RestartUnit: // so that it reads what was restored
		if unit, err := h.Local.Unit(ctx, c.Name); err == nil && unit.Load == "not-found" {
			return nil // it has gone with its package
		}
		return h.run(ctx, "systemctl", "restart", c.Name)
	case prep.SetHostname:
		return h.run(ctx, "hostnamectl", "set-hostname", s.Content)
	case prep.SetTimeZone:
		if s.Content == "" {
			return &leftAlone{"no time zone was set before; to have none: rm /etc/localtime"}
		}
		return h.run(ctx, "timedatectl", "set-timezone", s.Content)
	case prep.OpenPort:
		return h.closePort(ctx, c, s)
	case prep.InstallPackages, prep.HoldPackages:
		return h.unpack(ctx, e)
	}
	return fmt.Errorf("unknown kind of change %q", c.Kind)
}

// leftAlone is why a change stays as it is on purpose: that is no failure.
type leftAlone struct{ why string }

func (l *leftAlone) Error() string { return l.why }

func (h Host) run(ctx context.Context, name string, args ...string) error {
	_, err := h.Local.Run(ctx, host.Command{Name: name, Args: args, Timeout: 2 * time.Minute})
	return err
}

// setSysctl writes a value and reads it back: some settings take another than was
// written, without an error.
func (h Host) setSysctl(name, value string) error {
	path := h.sysctl(name)
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl %s = %s: %w", name, value, err)
	}
	got, err := host.ReadPlain(path, 4096)
	if err == nil && strings.TrimSpace(string(got)) != value {
		err = fmt.Errorf("set sysctl %s = %s: the kernel keeps %s", name, value, strings.TrimSpace(string(got)))
	}
	return err
}

// own changes the owner and mode of a directory, and of nothing in it. A link is not
// followed.
func (h Host) own(path string, s state) error {
	fd, err := unix.Open(h.Local.Path(path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	if err := errors.Join(unix.Fchown(fd, s.UID, s.GID), unix.Fchmod(fd, s.Mode)); err != nil {
		return &os.PathError{Op: "change the owner of", Path: path, Err: err}
	}
	return nil
}

func (h Host) swapOn(ctx context.Context, device, priority string) error {
	args := []string{"--", device}
	if priority != "" && !strings.HasPrefix(priority, "-") { // the kernel gives negative ones by itself
		args = []string{"--priority", priority, "--", device}
	}
	return h.run(ctx, "swapon", args...)
}

func (h Host) unmask(ctx context.Context, unit string, s state) error {
	if err := h.run(ctx, "systemctl", "unmask", unit); err != nil || !s.There {
		return err
	}
	return h.run(ctx, "systemctl", "start", unit)
}

// enable gives a unit its state at boot and now back.
func (h Host) enable(ctx context.Context, unit string, s state) error {
	if s.Enabled == "enabled" {
		if err := h.run(ctx, "systemctl", "enable", unit); err != nil {
			return err
		}
	}
	if !s.There {
		return nil
	}
	return h.run(ctx, "systemctl", "start", unit)
}

func (h Host) disable(ctx context.Context, unit string, s state) error {
	if s.Enabled != "enabled" {
		if err := h.run(ctx, "systemctl", "disable", unit); err != nil {
			return err
		}
	}
	if s.There {
		return nil
	}
	return h.run(ctx, "systemctl", "stop", unit)
}

// openPort opens a port in a firewall, now and for good.
func (h Host) openPort(ctx context.Context, c prep.Change) error {
	switch c.Name {
	case firewalld:
		arg := "--add-port=" + c.Content
		if err := h.run(ctx, "firewall-cmd", "--permanent", arg); err != nil {
			return err
		}
		return h.run(ctx, "firewall-cmd", arg)
	case ufw:
		return h.run(ctx, "ufw", "allow", ufwPort(c.Content))
	}
	return fmt.Errorf("unknown firewall %q", c.Name)
}

// closePort closes a port again. One that the firewall's own configuration had before
// stays in there: it is a rule of another.
func (h Host) closePort(ctx context.Context, c prep.Change, before state) error {
	switch c.Name {
	case firewalld:
		arg := "--remove-port=" + c.Content
		if !before.There {
			if err := h.run(ctx, "firewall-cmd", "--permanent", arg); err != nil {
				return err
			}
		}
		return h.run(ctx, "firewall-cmd", arg)
	case ufw:
		return h.run(ctx, "ufw", "delete", "allow", ufwPort(c.Content))
	}
	return fmt.Errorf("unknown firewall %q", c.Name)
}

// lookAtPort reads whether firewalld's permanent configuration has a port already. ufw
// has one set of rules, and what it has open is not opened again.
func (h Host) lookAtPort(ctx context.Context, c prep.Change) (s state, err error) {
	if c.Name != firewalld {
		return s, nil
	}
	err = h.run(ctx, "firewall-cmd", "--permanent", "--query-port="+c.Content)
	var no *host.CommandError
	if errors.As(err, &no) && strings.TrimSpace(no.Output) == "no" {
		return s, nil
	}
	s.There = err == nil
	return s, err
}

const (
	firewalld = "firewalld"
	ufw       = "ufw"
)

// ufwPort is a port or range as ufw writes it.
func ufwPort(port string) string { return strings.Replace(port, "-", ":", 1) }
