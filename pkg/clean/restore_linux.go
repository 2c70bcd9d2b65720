// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/control"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Returns reports whether Restore could make the host the node again that it was:
// its credentials are there, and its etcd member, if it had one, has not left.
func (t Target) Returns() (bool, error) {
	able, err := t.able()
	if err != nil || !able {
		return false, err
	}
	d, err := t.member().Departure()
	return err == nil && (d == nil || !d.Left), err
}

// able reports whether the kubelet has what it takes to be this node.
func (t Target) able() (bool, error) {
	credentials, err := t.base().Credentialed()
	config, err2 := t.base().Exists(t.base().Places().Config)
	return credentials && config, errors.Join(err, err2)
}

// Interrupted reports whether a removal that was killed has left something in
// place that keeps the kubelet or new pods from working; Restore takes it away.
func (t Target) Interrupted() (bool, error) {
	is, err := t.base().AnyExists(inventory.HoldFile, inventory.NoNetworkFile, part.Unfinished(inventory.NoNetworkFile),
		part.Unfinished(inventory.HoldFile))
	made, err2 := t.base().Saved(part.DropInsFile)
	return is || made, errors.Join(err, err2)
}

// Restore is the way back after a step that failed, or that was killed: it takes
// away what a removal has in place for a while only, releases the hold and starts
// the kubelet, which then starts this node's pods again, the network's
// agents included. It needs the node's credentials; once those are deleted it
// returns an error with a hint, and has only released the hold.
func (t Target) Restore(ctx context.Context) error {
	if err := t.member().Stay(ctx); err != nil {
		return err
	}
	// Before the kubelet starts, or its first pods get the network that does nothing.
	if err := errors.Join(t.runtime().RealNetwork(), t.control().Unhold(ctx)); err != nil {
		return err
	}
	able, err := t.able()
	if err != nil {
		return plan.Hint(fmt.Errorf("find out whether the kubelet may start again: %w", err), "see why: on the host, journalctl -k")
	}
	if !able {
		return plan.Hint(errors.New("start the kubelet again: its credentials are deleted already"),
			"run the removal again to finish it, or join this host again: kubectl lifecycle join")
	}
	if err := t.rules().PutBack(ctx); err != nil {
		return err
	}
	u, err := t.Host.Unit(ctx, control.Unit)
	if errors.Is(err, host.ErrNoSystemd) {
		return plan.Hint(err, "start the kubelet by hand")
	}
	if err != nil || u.Active == "active" {
		return err
	}
	if err := t.Host.ForgetFailure(ctx, control.Unit); err != nil {
		return err
	}
	return t.Host.StartUnit(ctx, control.Unit)
}

// Held reports whether the kubelet is kept from starting.
func (t Target) Held() bool { return t.control().Held() }
