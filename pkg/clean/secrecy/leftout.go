// SPDX-License-Identifier: Apache-2.0

package secrecy

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"

// LeftOut says why a file is not backed up; empty if it is, or no backup is wanted.
func LeftOut(c inventory.Choices, path string, content []byte) string {
	if c.BackupKeys || c.NoBackup {
		return ""
	}
	switch is := Of(path, content); {
	case is == Opens:
		return "it holds a key or credentials of the cluster"
	case is == Unknown:
		return "it may hold a key or credentials of the cluster: it is of no form that is known"
	case is == Guarded && c.NoKeys:
		return "it holds a secret"
	}
	return ""
}
