// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certrenew"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostcommand"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostprep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/kubeletcert"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/netlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// operation is one thing that the plugin may ask for on this host. It is either
// answered at once, or a run.
type operation struct {
	name wire.Operation
	// bare is true of what is done on a host that is no node yet: it has no Node whose
	// machine it could be compared with.
	bare bool
	// answer does what is asked while the plugin waits, and returns the result: it
	// leaves no record and no unit. Nil for a run.
	answer func(ctx context.Context, d wire.Delivery) (json.RawMessage, error)
	// converse is answer for what says what it is doing, and asks for files.
	converse func(ctx context.Context, d wire.Delivery, talk report.Talk) (json.RawMessage, error)
	// run goes on as a unit of this host; nil for what is answered.
	run *run
}

// run is an operation that outlives the plugin's call, and may be started again at
// any point. Only do is needed.
type run struct {
	// complete is the error of a spec that lacks what the run takes.
	complete func(spec wire.Spec) error
	// mayBegin refuses, before anything is drained, what would fail later.
	mayBegin func(ctx context.Context, w *worker) error
	// mayGoOn refuses a host that something else has taken since the work began.
	mayGoOn func(w *worker) error
	// arrived reports that the host is where the run was to bring it: a kubelet
	// that could start is no way back then.
	arrived func(w *worker) bool
	// do does the work and returns the outcome for the record.
	do func(ctx context.Context, w *worker) (json.RawMessage, error)
}

// operations are all that this program can do on a host: a new one is a file of its
// own and a line here.
func operations() []operation {
	return []operation{inspection(), networkLook(), deadMember(), certificateSharing(), certificateLook(), certificateRenewal(),
		networkCleaning(), hostCommand(), kubeletRecovery(), removal(), relocation(), preparation(), joining(), founding()}
}

// answered is the answer to what is asked.
func (o operation) answered(ctx context.Context, d wire.Delivery, talk report.Talk) (json.RawMessage, error) {
	if o.converse != nil {
		return o.converse(ctx, d, talk)
	}
	return o.answer(ctx, d)
}

// networkLook reads what the host has for its pod network.
func networkLook() operation {
	return operation{name: wire.LookNetwork, answer: func(_ context.Context, d wire.Delivery) (json.RawMessage, error) {
		return netlook.Answer(d.Spec)
	}}
}

// certificateLook reads the host's certificates, and what its servers present.
func certificateLook() operation {
	return operation{name: wire.LookCertificates, answer: func(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
		return certlook.Answer(ctx, d.Spec)
	}}
}

// networkCleaning takes what one network has left off a host that stays a node.
func networkCleaning() operation {
	return operation{name: wire.CleanNetwork, answer: func(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
		order, err := netclean.Order(d.Spec.Task)
		if err != nil {
			return nil, err
		}
		t := clean.Target{StateDir: stateDir}
		if order.DryRun {
			if t, err = t.Fresh(true); err != nil {
				return nil, err
			}
			return answered(netclean.Clean(ctx, t, order))
		}
		unlock, err := lockAlone()
		if err != nil {
			return nil, err
		}
		defer unlock()
		if t, err = t.Fresh(false); err != nil {
			return nil, err
		}
		done, err := netclean.Clean(ctx, t, order)
		if err == nil && done.Verdict.State != inventory.Dirty { // else the notes of what there was stay
			err = leave()
		}
		return answered(done, err)
	}}
}

func answered(value any, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// certificateRenewal renews certificates of a control plane.
func certificateRenewal() operation {
	return operation{name: wire.RenewCertificates, answer: func(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
		return certrenew.Answer(ctx, d.Spec)
	}}
}

// hostCommand runs a command of a person's.
func hostCommand() operation {
	return operation{name: wire.RunCommand, answer: func(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
		return hostcommand.Answer(ctx, d.Spec)
	}}
}

// kubeletRecovery has a kubelet ask for another client certificate. Its Node may have an older
// boot id than the host, so the machine is compared there.
func kubeletRecovery() operation {
	return operation{name: wire.RecoverKubelet, bare: true, answer: func(ctx context.Context, d wire.Delivery) (json.RawMessage, error) {
		return kubeletcert.Answer(ctx, d, lockForUnit)
	}}
}

// preparation says what the host lacks, and mends it.
func preparation() operation {
	return operation{name: wire.Prep, bare: true,
		converse: func(ctx context.Context, d wire.Delivery, talk report.Talk) (json.RawMessage, error) {
			return hostprep.Answer(ctx, d.Spec.Task, talk)
		}}
}

// joining prepares the host and has kubeadm join it.
func joining() operation { return operation{name: wire.Join, bare: true, converse: hostprep.Join} }

// founding has kubeadm make a new cluster on the host.
func founding() operation { return operation{name: wire.Init, bare: true, converse: hostprep.Init} }

// find returns an operation by its name.
func find(all []operation, name wire.Operation) (operation, bool) {
	i := slices.IndexFunc(all, func(o operation) bool { return o.name == name })
	if i < 0 {
		return operation{}, false
	}
	return all[i], true
}
