// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package screentest

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// onTerminal shows nothing: a terminal of a given width is opened on Linux only.
func onTerminal(t *testing.T, _ int, _ func(*testing.T, *env.Env) error) (shown string, can bool) {
	t.Helper()
	return "", false
}
