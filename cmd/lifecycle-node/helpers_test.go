// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// signsNow is what this machine can be told by.
func signsNow(t *testing.T) host.Signs {
	t.Helper()
	return host.Local{}.Signs()
}

// nameOf is the node that a certificate names.
func nameOf(t *testing.T, pem string) string {
	t.Helper()
	name, err := nameIn([]byte(pem))
	hosttest.Must(t, err)
	if name == "" {
		return "w"
	}
	return name
}
