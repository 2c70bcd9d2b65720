// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/kubeadm"
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

// certificateSharing encrypts what another control plane needs to join, and says how
// the members of etcd are; it changes nothing.
func certificateSharing() operation {
	return operation{name: wire.ShareCertificates, answer: shareCertificates}
}

func shareCertificates(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
	var order wire.CertificatesOrder
	if err := json.Unmarshal(d.Spec.Task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	shared := kubeadm.Shared{Dir: order.Dir}
	if e := order.ExternalEtcd; e != nil {
		shared.External = &[3]string{e.CAFile, e.CertFile, e.KeyFile}
	}
	var out wire.SharedCertificates
	var err error
	if out.Files, out.Missing, err = shared.Encrypt(order.Key); err != nil {
		return nil, err
	}
	members, err := clean.Target{Facts: inventory.Facts{ControlPlanes: order.ControlPlanes}}.Etcd(ctx)
	if err != nil {
		return nil, err
	}
	if out.Etcd, err = json.Marshal(members); err != nil {
		return nil, fmt.Errorf("encode the members of etcd: %w", err)
	}
	return json.Marshal(out)
}
