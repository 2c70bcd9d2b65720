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

// Mounter is the pod that could mount at a path; empty if none could. The deepest share
// tells most.
func (s Shares) Mounter(path string) string {
	best := Share{}
	for _, one := range s.List {
		if one.Mounts && Within(path, one.Path) && len(one.Path) > len(best.Path) {
			best = one
		}
	}
	return best.Pod
}

// Origin is where on the host that lies which is bound to a path: a subPath of a volume and
// a local volume are bound below the kubelet's directory before a container gets them. It is
// the path itself where nothing is bound there, or nothing shows what it is.
func Origin(path string, mounts []host.Mount, leaveOut func(at string) bool) string {
	bound := slices.IndexFunc(mounts, func(m host.Mount) bool { return m.Path == path && m.Root != "/" })
	if bound < 0 {
		return path
	}
	origin, shortest := path, -1
	for _, m := range mounts {
		same := m.Device == mounts[bound].Device && Within(mounts[bound].Root, m.Root)
		if !same || leaveOut(m.Path) || shortest >= 0 && len(m.Root) >= shortest {
			continue
		}
		origin, shortest = filepath.Join(m.Path, strings.TrimPrefix(mounts[bound].Root, m.Root)), len(m.Root)
	}
	return origin
}
