// SPDX-License-Identifier: Apache-2.0

package part

import (
	"errors"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
)

// AtHome reports whether a path leads to a file system of this host's, over links, too.
func (t Host) AtHome(path string) bool {
	_, err := t.Follow(path)
	return !errors.Is(err, host.ErrRemote)
}

// Away reports whether something is on a file system of another machine's, which may never
// answer, and says then that it is not looked at.
func (t Host) Away(s *Findings, kind inventory.Kind, path string) bool {
	if t.AtHome(path) {
		return false
	}
	s.NotLookedAt(kind, path, "another machine's file system is mounted there")
	return true
}
