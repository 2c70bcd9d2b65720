// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// deadMember takes a dead host's member out of this host's etcd cluster.
func deadMember() operation { return operation{name: wire.DeadMember, answer: removeDeadMember} }

func removeDeadMember(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
	var b inventory.Burial
	if err := json.Unmarshal(d.Spec.Task, &b); err != nil {
		return nil, fmt.Errorf("decode the task: %w", err)
	}
	done, err := clean.Target{Facts: b.Facts}.Bury(ctx, b)
	if err != nil {
		return nil, err
	}
	return json.Marshal(done)
}
