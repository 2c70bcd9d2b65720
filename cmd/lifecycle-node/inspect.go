// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// inspection reads the host and changes nothing.
func inspection() operation { return operation{name: wire.Inspect, answer: inspect} }

// mayJoin asks whether the host could join a cluster, if one is named; there is no
// token yet.
func mayJoin(ctx context.Context, spec wire.Spec) error {
	d := spec.Destination
	if d == nil {
		return nil
	}
	return kubeadm.Join{Endpoint: d.Endpoint, CA: d.CA, Version: d.Version}.Check(ctx)
}

// inspect returns the inventory of the host, and whether it could join a cluster, if
// one is named.
func inspect(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
	spec := d.Spec
	if err := mayJoin(ctx, spec); err != nil {
		return nil, err
	}
	var order inventory.Order
	if err := json.Unmarshal(spec.Task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	target := clean.Target{Facts: order.Facts, Choices: order.Choices, Door: ownContainer("/proc/self/cgroup")}
	inventory, err := target.Survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := target.Objections(ctx); err != nil {
		inventory.Objection, inventory.WayOut = err.Error(), plan.HintOf(err)
	}
	result, err := json.Marshal(inventory)
	if err != nil {
		return nil, fmt.Errorf("encode the inventory: %w", err)
	}
	return result, nil
}

// ownContainer is the id of the container that this process came through: it
// is in the host's namespaces, but still in the container's cgroup. Empty if it
// was started on the host itself.
func ownContainer(cgroup string) string {
	raw, err := host.ReadPlain(cgroup, mostOfName)
	if err != nil {
		return ""
	}
	ids := regexp.MustCompile(`[0-9a-f]{64}`).FindAllString(string(raw), -1)
	if len(ids) == 0 {
		return ""
	}
	return ids[len(ids)-1]
}
