// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"errors"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// examine looks for the known pitfalls before anything is changed. It refuses where
// one of them would keep pods from having a network, and returns the others. given are
// the values that will be installed.
func examine(f facts.Facts, network catalogue.Network, given map[string]any, hosts []wire.HostNetwork) ([]finding.Finding, error) {
	c := network.Chosen(given)
	all := finding.All(finding.Input{Facts: f, Hosts: hosts, Wanted: finding.Wanted{
		CNI: network.Name, Pool: c.Pool, IPAM: c.IPAM, ReplacesProxy: c.ReplacesProxy, OperatorReplicas: c.OperatorReplicas, Labels: c.Labels,
	}})
	return all, refuseFor(all)
}

// taken refuses a network that another tool manages, or beside which there is another:
// nothing else of it matters then.
func taken(f facts.Facts, network catalogue.Network) error {
	all := finding.All(finding.Input{Facts: f, Wanted: finding.Wanted{CNI: network.Name}})
	return refuseFor(slices.DeleteFunc(all, func(one finding.Finding) bool { return one.ID != "CNI004" && one.ID != "CNI020" }))
}

// refuseFor is the refusal for findings that stand in an installation's way; nil if
// none does.
func refuseFor(all []finding.Finding) error {
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
