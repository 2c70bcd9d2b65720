// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"errors"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// examine looks for the known pitfalls before anything is changed. It refuses where
// one of them would keep pods from having a network, and returns the others.
func examine(f facts.Facts, network catalogue.Network) ([]finding.Finding, error) {
	all := finding.All(finding.Input{Facts: f, Wanted: finding.Wanted{CNI: network.Name}})
	return all, RefuseFor(all)
}

// RefuseFor is the refusal for findings that stand in an installation's way; nil if
// none does.
func RefuseFor(all []finding.Finding) error {
	blocking := finding.Blocking(all)
	if len(blocking) == 0 {
		return nil
	}
	var lines []string
	for _, b := range blocking {
		lines = append(lines, b.String())
	}
	return plan.Refuse(errors.New(strings.Join(lines, "\n")), "%s; more: kubectl lifecycle cni explain %s", blocking[0].Cure,
		text.Quote(blocking[0].ID))
}
