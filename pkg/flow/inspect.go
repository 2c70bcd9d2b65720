// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Inspect reads a node's host through one pod that is gone afterwards, and
// returns what Kubernetes, its network and others have there.
func Inspect(ctx context.Context, cluster runner.Cluster, name string, choices inventory.Choices, watch plan.Observer) (inventory.Inventory, error) {
	return glance{name: name, choices: choices}.look(ctx, cluster, watch)
}

// glance is what is looked at on a host.
type glance struct {
	name    string
	choices inventory.Choices
	// destination is a cluster that the host is to be able to join; nil for none.
	destination *wire.Destination
	// keep are paths whose data a person was told stays.
	keep []string
}

func (g glance) look(ctx context.Context, cluster runner.Cluster, watch plan.Observer) (inventory.Inventory, error) {
	var inventory inventory.Inventory
	name := g.name
	node, err := GetNode(ctx, cluster.Client, name)
	if err != nil {
		return inventory, err
	}
	if err := RequireKubeadm(ctx, cluster.Client, node); err != nil {
		return inventory, err
	}
	if err := allowed(ctx, cluster.Client, doorNeeds(namespaceOf(cluster))); err != nil {
		return inventory, err
	}
	if !kubeletAnswers(node) {
		return inventory, pulse{cluster, node}.unreachable(ctx)
	}
	facts, err := hostFacts(ctx, cluster.Client, node)
	if err != nil {
		return inventory, err
	}
	facts.Keep = g.keep
	input, err := encode(facts, g.choices)
	if err != nil {
		return inventory, err
	}
	_, err = plan.Plan{Title: "Inspect " + name, Steps: []plan.Step{{
		ID: "host/inspect", Title: "Read the host of node " + name,
		Do: func(ctx context.Context, report plan.Report) error {
			raw, err := runner.Ask(ctx, cluster, node, runner.Question{Operation: wire.Inspect, Input: input, Destination: g.destination}, report)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(raw, &inventory); err != nil {
				return fmt.Errorf("decode the inventory of node %s: %w", name, err)
			}
			return nil
		},
	}}}.Run(ctx, watch)
	return inventory, err
}

// namespaceOf is where a cluster's runs live.
func namespaceOf(cluster runner.Cluster) string {
	if cluster.Namespace == "" {
		return runner.DefaultNamespace
	}
	return cluster.Namespace
}
