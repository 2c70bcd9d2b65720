// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/hostfacts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/liveness"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Inspect reads a node's host through one pod that is gone afterwards, and
// returns what Kubernetes, its network and others have there.
func Inspect(
	ctx context.Context, cluster runner.Cluster, name string, choices inventory.Choices, watch plan.Observer,
) (inventory.Inventory, error) {
	return inspection{name: name, choices: choices}.read(ctx, cluster, watch)
}

// inspection is a read of a host.
type inspection struct {
	name    string
	choices inventory.Choices
	// destination is a cluster that the host is to be able to join; nil for none.
	destination *wire.Destination
	// keep are paths whose data a person was told stays.
	keep []string
}

func (i inspection) read(ctx context.Context, cluster runner.Cluster, watch plan.Observer) (inventory.Inventory, error) {
	var inventory inventory.Inventory
	name := i.name
	node, err := kubenode.Get(ctx, cluster.Client, name)
	if err != nil {
		return inventory, err
	}
	if err := kubenode.RequireKubeadm(ctx, cluster.Client, node); err != nil {
		return inventory, err
	}
	if err := access.Require(ctx, cluster.Client, access.Carrier(cluster.RunNamespace())); err != nil {
		return inventory, err
	}
	if !kubenode.KubeletAnswers(node) {
		return inventory, liveness.Unreachable(ctx, cluster, node)
	}
	facts, err := hostfacts.Read(ctx, cluster.Client, node)
	if err != nil {
		return inventory, err
	}
	facts.Keep = i.keep
	input, err := encode(facts, i.choices)
	if err != nil {
		return inventory, err
	}
	_, err = plan.Plan{Title: "Inspect " + name, Steps: []plan.Step{{
		ID: "host/inspect", Title: "Read the host of node " + name,
		Do: func(ctx context.Context, report plan.Report) error {
			raw, err := runner.RunOnce(ctx, cluster, node, runner.Question{Operation: wire.Inspect, Input: input, Destination: i.destination},
				report)
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

// encode is the form in which an order travels to the host.
func encode(facts inventory.Facts, choices inventory.Choices) (json.RawMessage, error) {
	raw, err := json.Marshal(inventory.Order{Facts: facts, Choices: choices})
	if err != nil {
		return nil, fmt.Errorf("encode the order: %w", err)
	}
	return raw, nil
}
