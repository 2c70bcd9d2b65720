// SPDX-License-Identifier: Apache-2.0

package part

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// AtHome reports whether a directory is on a file system of this host's.
func AtHome(dir string, mounts []host.Mount) bool {
	on := host.Mount{Path: "/"}
	for _, m := range mounts {
		if (dir == m.Path || host.Below(dir, m.Path)) && len(m.Path) >= len(on.Path) {
			on = m
		}
	}
	return on.Path == "/" || on.Class() != host.Remote && on.FSType != "autofs"
}

// Away reports whether something is on a file system of another machine's, which may never
// answer, and says then that it is not looked at.
func (s *Findings) Away(kind inventory.Kind, path string, mounts []host.Mount) bool {
	if AtHome(path, mounts) {
		return false
	}
	s.NotLookedAt(kind, path, "another machine's file system is mounted there")
	return true
}
