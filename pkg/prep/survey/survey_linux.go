// SPDX-License-Identifier: Apache-2.0

package survey

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
)

// mostOfFile is how much of a file is read: settings, not data.
const mostOfFile = 1 << 20

// reader reads one host.
type reader struct {
	local  host.Local
	wanted prep.Wanted
	facts  *prep.Facts
}

// Read reads a host. What cannot be read is named in Facts.Unread: it is no error.
func Read(ctx context.Context, local host.Local, wanted prep.Wanted) prep.Facts {
	facts := prep.Facts{Unread: map[string]string{}}
	r := reader{local, wanted, &facts}
	for _, part := range []struct {
		name string
		read func(context.Context) error
	}{
		{"system", r.system},
		{"kernel", r.kernel},
		{"cgroups", r.cgroups},
		{"name", r.identity},
		{"swap", r.swap},
		{"modules", r.modules},
		{"sysctl", r.sysctls},
		{"runtime", r.runtime},
		{"cni", r.cni},
		{"selinux", r.selinux},
		{"firewall", r.firewall},
		{"clock", r.clock},
		{"links", r.links},
		{"ports", r.ports},
		{"disk", r.disks},
		{"resolver", r.resolver},
		{"traces", r.traces},
		{"etcd", r.etcd},
		{"programs", r.programs},
		{"packages", r.packages},
	} {
		if err := part.read(ctx); err != nil {
			facts.Unread[part.name] = err.Error()
		}
	}
	return facts
}

// text is a file's content; empty if there is none.
func (r reader) text(path string) (string, error) {
	f, err := r.file(path)
	return f.Content, err
}

// file reads a file; one that is not there is no error.
func (r reader) file(path string) (prep.File, error) {
	f := prep.File{Path: path}
	real, err := r.local.Real(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	raw, err := host.ReadPlain(r.local.Path(real), mostOfFile)
	if err != nil {
		return f, err
	}
	info, err := os.Stat(r.local.Path(real))
	if err != nil {
		return f, err
	}
	f.There, f.Content, f.Mode = true, string(raw), uint32(info.Mode().Perm())
	return f, nil
}

// names are the entries of a directory; none if it is not there.
func (r reader) names(dir string) ([]string, error) {
	entries, err := os.ReadDir(r.local.Path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all, err
}

// there reports whether a path exists.
func (r reader) there(path string) bool {
	_, err := os.Lstat(r.local.Path(path))
	return err == nil
}

// system reads what the distribution is.
func (r reader) system(context.Context) error {
	release, err := r.text("/etc/os-release")
	for _, line := range strings.Split(release, "\n") {
		if key, value, _ := strings.Cut(line, "="); key == "PRETTY_NAME" {
			r.facts.OS.Name = strings.Trim(value, `"'`)
		}
	}
	r.facts.OS.Systemd = r.there("/run/systemd/system")
	if link, linkErr := os.Readlink(r.local.Path("/etc/localtime")); linkErr == nil {
		_, r.facts.OS.TimeZone, _ = strings.Cut(link, "zoneinfo/")
	}
	return err
}

// kernel reads what runs.
func (r reader) kernel(context.Context) error {
	release, err := r.text("/proc/sys/kernel/osrelease")
	r.facts.Kernel.Release = strings.TrimSpace(release)
	switch {
	case r.there("/sys/fs/cgroup/cgroup.controllers"):
		r.facts.Kernel.Cgroup = 2
	case r.there("/sys/fs/cgroup/memory") || r.there("/sys/fs/cgroup/systemd"):
		r.facts.Kernel.Cgroup = 1
	}
	return err
}
