// SPDX-License-Identifier: Apache-2.0

package part

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// Share is a directory or file of the host that a pod was given, and in which it could
// leave something.
type Share struct {
	// Path is where it is, without symbolic links.
	Path string `json:"path"`
	// Pod is namespace/name.
	Pod string `json:"pod"`
	// Writes says that the pod could write there, Mounts that what it mounted there was
	// mounted on the host, too (mountPropagation: Bidirectional).
	Writes bool `json:"writes,omitempty"`
	Mounts bool `json:"mounts,omitempty"`
}

// Bus reports whether a share has the socket of the system's bus, or systemd's own, in it or is
// one: over it a pod has systemd make units, and NetworkManager connections. A mount that can
// only be read does not keep a pod from that.
func (s Share) Bus() bool {
	return slices.ContainsFunc([]string{"/run/dbus/system_bus_socket", "/run/systemd/private"}, func(socket string) bool {
		return Within(socket, s.Path)
	})
}

// All is the directory that a pod was given with all that is in it, where that is many programs':
// the root directory, or one of the system's. Empty for any other share.
func (s Share) All() string {
	systems := []string{"/", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/root", "/run", "/sys", "/usr", "/usr/lib", "/usr/local",
		"/var", "/var/lib"}
	if slices.Contains(systems, s.Path) {
		return s.Path
	}
	return ""
}

// Shares are those of all pods of a host.
type Shares struct {
	List []Share `json:"list"`
	// Unasked says that the container runtime did not tell which pods there are, and
	// Unknown why not all shares are known; empty if they are.
	Unasked bool   `json:"unasked,omitempty"`
	Unknown string `json:"unknown,omitempty"`
}

// MostShares bounds how many shares of a host are kept.
const MostShares = 4096

// Add adds a share, once.
func (s *Shares) Add(one Share) {
	switch {
	case slices.Contains(s.List, one):
	case len(s.List) == MostShares:
		s.Unknown = "there are more than are kept"
	default:
		s.List = append(s.List, one)
	}
}

// Within reports whether a path is at or below a directory.
func Within(path, dir string) bool { return path == dir || host.Below(path, dir) }

// Mounter is the share over which a pod could mount at a path; none if no pod could. The deepest
// tells most.
func (s Shares) Mounter(path string) Share {
	best := Share{}
	for _, one := range s.List {
		if one.Mounts && Within(path, one.Path) && len(one.Path) > len(best.Path) {
			best = one
		}
	}
	return best
}

// Shown are the paths at which this host shows what is at a path, that path first: a directory
// that is bound, the subvolume of a file system of which another part is mounted, too. A pod that
// was given one of them could write in all. Mounts are compared by their file systems' numbers in
// the list of mounts.
func Shown(path string, mounts []host.Mount) []string {
	out, on := []string{path}, topmost(path, mounts)
	if on < 0 {
		return out
	}
	inside := filepath.Join(mounts[on].Root, strings.TrimPrefix(path, mounts[on].Path))
	for i, m := range mounts {
		at := m.Path
		switch {
		case i == on, m.Device != mounts[on].Device:
			continue
		case Within(inside, m.Root):
			at = filepath.Join(m.Path, strings.TrimPrefix(inside, m.Root))
		case !Within(m.Root, inside):
			continue
		}
		if !Within(at, path) && topmost(at, mounts) == i && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// topmost is the last of the mounts that a path is on; -1 for none.
func topmost(path string, mounts []host.Mount) int {
	on := -1
	for i, m := range mounts {
		if Within(path, m.Path) && (on < 0 || len(m.Path) >= len(mounts[on].Path)) {
			on = i
		}
	}
	return on
}
