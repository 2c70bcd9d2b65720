// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/disk/secrecy"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// leftOut says why a file is not backed up; empty if it is.
func leftOut(c inventory.Choices, path string, content []byte) string {
	if c.BackupKeys {
		return ""
	}
	switch is := secrecy.Of(path, content); {
	case is == secrecy.Opens:
		return "it holds a key or credentials of the cluster"
	case is == secrecy.Unknown:
		return "it may hold a key or credentials of the cluster: it is of no form that is known"
	case is == secrecy.Guarded && c.NoKeys:
		return "it holds a secret"
	}
	return ""
}
