// SPDX-License-Identifier: Apache-2.0

package hostpaths

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// The bounds of the search for files: a pod that has a directory may make millions in it.
const (
	mostEntries = 20_000
	mostFiles   = 64
	deepest     = 5
	filesLimit  = 3 * time.Second
)

// settings are where a host keeps what it does by itself: units, the runtime's handlers and
// devices, rules for devices, modules and the kernel, what runs at times, who may log in. What
// a container runtime's installer, a driver or an operator of the cluster writes there acts
// on after the host has left.
func settings() []string {
	return []string{
		"/etc/systemd", "/run/systemd/system", "/run/systemd/transient", "/usr/local/lib/systemd", "/usr/lib/systemd/system",
		"/etc/init.d", "/etc/rc.local",
		"/etc/containerd", "/etc/crio", "/etc/docker", "/etc/containers", "/etc/cdi", "/run/cdi", "/etc/nvidia-container-runtime",
		"/etc/kata-containers", "/etc/linstor", "/var/lib/linstor.d", "/etc/drbd.d", "/etc/drbd.conf",
		"/usr/libexec/oci", "/usr/share/containers/oci",
		"/etc/udev", "/etc/modprobe.d", "/etc/modules-load.d", "/etc/modules", "/etc/sysctl.d", "/etc/sysctl.conf", "/etc/tmpfiles.d",
		"/etc/binfmt.d", "/etc/security", "/etc/apparmor.d", "/etc/default", "/etc/sysconfig", "/etc/dbus-1",
		"/etc/crontab", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly", "/var/spool/cron",
		"/etc/NetworkManager", "/etc/netplan", "/etc/network", "/etc/iscsi", "/etc/multipath", "/etc/multipath.conf", "/etc/lvm",
		"/etc/profile.d", "/etc/ld.so.preload", "/etc/ld.so.conf.d", "/etc/pam.d", "/etc/sudoers.d", "/etc/ssh", "/root/.ssh",
		"/etc/rsyslog.d", "/etc/logrotate.d", "/etc/audit",
		// Whom the host trusts, of Debian's kind, Fedora's and SUSE's.
		"/usr/local/share/ca-certificates", "/usr/share/pki/ca-trust-source", "/usr/share/pki/trust", "/usr/local/etc",
	}
}

// programs are where programs are put that no package brings, and plugins of networks; of what is
// there only programs are named. A network's pod may put the standard plugins there, or what is
// called so: whichever comes next runs them.
func programs(plugins []string) []string {
	out := []string{"/opt", "/usr/local"}
	for _, dir := range plugins {
		if !slices.ContainsFunc(out, func(o string) bool { return part.Within(dir, o) }) {
			out = append(out, dir)
		}
	}
	return out
}

// apart reports whether another part looks at a path, or this program has made it. A name
// that only begins as this program's is anyone's.
func (t HostPaths) apart(path string) bool {
	dirs := slices.Concat(t.Places().ConfDirs, []string{inventory.KubernetesDir, inventory.HoldFile, filepath.Dir(inventory.CNIConfDir)})
	plugin := slices.Contains(t.Places().BinDirs, filepath.Dir(path)) && ownership.CNIPlugin(filepath.Base(path)) != inventory.Foreign
	return plugin || slices.ContainsFunc(dirs, func(dir string) bool { return part.Within(path, dir) }) ||
		slices.Contains(ownUnits(), path) && t.rootOwned(path)
}

// ownUnits are the units that systemd has of this program's own runs.
func ownUnits() []string {
	return []string{"/etc/systemd/system/kubectl-lifecycle.service", "/etc/systemd/system/multi-user.target.wants/kubectl-lifecycle.service",
		"/run/systemd/transient/kubectl-lifecycle-certs.service"}
}

// place is a directory or file that is looked into, for what the pod could write there.
type place struct {
	path, pod string
	programs  bool
	// bus says that the pod could have the host's own services write there.
	bus bool
	// all is the directory that the pod was given, if that is much more than its own.
	all string
}

// places are where pods could write and the host keeps settings or programs: of a directory
// in another the inner one, which of several pods' is the same for all but the first: that which
// was given least.
func places(shares part.Shares, plugins []string) (out []place) {
	add := func(p place) {
		if !slices.ContainsFunc(out, func(o place) bool { return o.path == p.path }) {
			out = append(out, p)
		}
	}
	list := slices.Clone(shares.List)
	slices.SortStableFunc(list, func(a, b part.Share) int { return len(b.Path) - len(a.Path) })
	for _, s := range list {
		if s.Bus() { // also a share that is only read: one connects all the same
			for _, dir := range []string{"/run/systemd/transient", "/run/systemd/system", "/etc/systemd/system",
				"/etc/NetworkManager/system-connections"} {
				add(place{path: dir, pod: s.Pod, bus: true})
			}
		}
		if !s.Writes {
			continue
		}
		for i, dirs := range [][]string{settings(), programs(plugins)} {
			for _, dir := range dirs {
				switch {
				case part.Within(dir, s.Path):
					add(place{path: dir, pod: s.Pod, programs: i == 1, all: s.All()})
				case host.Below(s.Path, dir):
					add(place{path: s.Path, pod: s.Pod, programs: i == 1})
				}
			}
		}
		if host.Below(s.Path, "/etc") { // a directory of settings that is not known
			add(place{path: s.Path, pod: s.Pod})
		}
	}
	return out
}

// files is a search for what pods wrote.
type files struct {
	t       HostPaths
	entries int
	named   map[string]bool
	found   []inventory.Item
	some    someOfAll
}

// errEnough ends a search that has become too long.
var errEnough = errors.New("there is too much to look at all of it")

// lookFiles names settings and programs of the host's that were made or changed since the
// join where a pod could write. An administrator's in a directory that no pod had are none.
func (t HostPaths) lookFiles(ctx context.Context, s *part.Findings, shares part.Shares) {
	if t.Facts.Joined.IsZero() { // nothing tells what was made since
		if len(places(shares, nil)) > 0 {
			s.NotLookedAt(inventory.KindFile, "what pods wrote on this host", "nothing tells when this host joined")
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, filesLimit)
	defer cancel()
	f := files{t: t, named: map[string]bool{}, some: someOfAll{}}
	for _, p := range places(shares, t.Places().BinDirs) {
		if !t.AtHome(p.path) || t.apart(p.path) {
			continue
		}
		err := f.look(ctx, p, p.path, 0)
		if errors.Is(err, errEnough) || ctx.Err() != nil {
			s.NotLookedAt(inventory.KindDir, p.path, "in part, for what pod "+p.pod+" wrote; "+errEnough.Error())
			break
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			s.NotLookedAt(inventory.KindDir, p.path, err.Error())
		}
	}
	s.Add(f.found...)
	f.some.tell(s)
}

// look looks at what is at a path, and then in it.
func (f *files) look(ctx context.Context, p place, path string, depth int) error {
	if f.entries++; f.entries > mostEntries || len(f.found) == mostFiles || ctx.Err() != nil {
		return errEnough
	}
	info, err := f.t.Lstat(path)
	if err != nil || f.t.apart(path) {
		return err
	}
	if info.IsDir() {
		return f.within(ctx, p, path, depth)
	}
	program := info.Mode().IsRegular() && info.Mode()&0o111 != 0
	if f.named[path] || p.programs && !program || ofSystemd(path) {
		return nil
	}
	how := f.t.written(ctx, path, info)
	if how == "" {
		return nil
	}
	f.named[path] = true
	could := " could write there"
	if p.bus {
		could = " could have it made over the host's bus"
	}
	it := inventory.Item{
		Kind: inventory.KindFile, Name: path, Owner: inventory.Foreign, Fate: inventory.Stays,
		Why:    "nothing proves that a pod wrote it; delete it if nothing on this host needs it",
		Refers: how + ", and " + who(p.pod, p.all) + could,
	}
	if f.some.name(p.all, it, "more files below "+p.all, "made or changed since the join, and "+who(p.pod, p.all)+could) {
		it.Digest = f.t.Digest(path)
		f.found = append(f.found, it)
	}
	return nil
}

func (f *files) within(ctx context.Context, p place, dir string, depth int) error {
	if depth > 0 && f.t.Mounted(dir) {
		return nil
	}
	entries, more, err := f.t.Some(dir, mostEntries-f.entries)
	if err != nil {
		return err
	}
	if depth == deepest && len(entries) > 0 {
		return fmt.Errorf("it is deeper than %d directories", deepest)
	}
	for _, e := range entries {
		if err := f.look(ctx, p, filepath.Join(dir, e.Name()), depth+1); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if more {
		return errEnough
	}
	return nil
}
