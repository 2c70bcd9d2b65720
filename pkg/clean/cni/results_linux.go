// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"path/filepath"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
)

// Results are what libcni has written down on this host, and which of it is of networks of
// pods. With one network alone the loopback's stay: pods of another have it, too.
func (t Networks) Results() ([]Result, error) {
	dir := filepath.Join(inventory.CNIStateDir, "results")
	names, err := t.Names(dir)
	if err != nil {
		return nil, err
	}
	networks := t.OwnNetworks()
	known := append(networks[:len(networks):len(networks)], loopback)
	if !t.Scope.Limited() {
		networks = known
	}
	var out []Result
	for _, name := range names {
		raw, _ := t.ReadPlain(filepath.Join(dir, name), part.MostOfFile) // else its name tells
		out = append(out, parseResult(name, raw, known))
	}
	return judgeResults(out, networks), nil
}
