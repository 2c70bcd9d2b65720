// SPDX-License-Identifier: Apache-2.0

package clean

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

const kubeletUnit = "kubelet.service"

// hold keeps the kubelet from starting as long as the file itself exists; so
// removing the file is enough to release it. The unit is not masked: masking
// fails where it lies in /etc/systemd/system, and a mask that is forgotten
// breaks the next join.
const hold = `# Written by kubectl-lifecycle while it removes this node. If no removal is
# under way, delete this file and run: systemctl daemon-reload
[Unit]
ConditionPathExists=!` + inventory.HoldFile + "\n"

// kubelet stops the kubelet and keeps it stopped.
func (t Target) kubelet() part {
	return part{
		id: "kubelet", title: "Stop and hold the kubelet", kind: inventory.KindUnit, look: t.lookKubelet,
		needed: func(ctx context.Context) (bool, error) {
			u, err := t.Host.Unit(ctx, kubeletUnit)
			if err != nil || u.Load == "not-found" {
				return false, err
			}
			return t.credentialed() && (u.Running() || !t.held()) || u.Active == "active", nil
		},
		take: t.stopKubelet,
	}
}

// credentialed reports whether the kubelet could still act as this node.
func (t Target) credentialed() bool {
	return t.exists("/etc/kubernetes/kubelet.conf") || t.exists("/etc/kubernetes/bootstrap-kubelet.conf")
}

// held reports whether the hold is there and whole: one that was cut short, by a
// full disk or a power cut, holds nothing.
func (t Target) held() bool {
	raw, err := host.ReadPlain(t.Host.Path(inventory.HoldFile), mostOfConfig)
	return err == nil && string(raw) == hold
}

// Held reports whether the kubelet is kept from starting.
func (t Target) Held() bool { return t.held() }

// Returns reports whether Restore could make the host the node again that it was:
// its credentials are there, and its etcd member, if it had one, has not left.
func (t Target) Returns() bool {
	if !t.credentialed() || !t.exists(t.places().Config) {
		return false
	}
	d, err := t.departure()
	return err == nil && (d == nil || !d.Left)
}

// Interrupted reports whether a removal that was killed has left something in
// place that keeps the kubelet or new pods from working; Restore takes it away.
func (t Target) Interrupted() bool {
	return t.exists(inventory.HoldFile) || t.exists(inventory.NoNetworkFile) || t.exists(partOf(inventory.NoNetworkFile)) || t.exists(partOf(inventory.HoldFile))
}

func (t Target) exists(path string) bool {
	_, err := os.Lstat(t.Host.Path(path))
	return err == nil
}

func (t Target) lookKubelet(ctx context.Context) (sight, error) {
	var s sight
	if t.exists(inventory.HoldFile) {
		s.add(inventory.Item{Kind: inventory.KindFile, Name: inventory.HoldFile, Owner: inventory.Lifecycle, Fate: inventory.Goes, Detail: "holds the kubelet while a removal is under way"})
	}
	t.lookFlags(&s)
	u, err := t.Host.Unit(ctx, kubeletUnit)
	if err != nil || u.Load == "not-found" || u.Load == "" {
		return s, err
	}
	it := inventory.Item{Kind: inventory.KindUnit, Name: kubeletUnit, Owner: inventory.Kubelet, Detail: u.Active, Fate: inventory.Harmless, Why: "installed by a package or by hand, and stopped"}
	if u.Enabled != "" {
		it.Detail += ", " + u.Enabled
	}
	switch {
	case u.Active == "active", u.Running() && t.credentialed():
		it.Fate, it.Why = inventory.Goes, ""
	case u.Running():
		it.Why = "installed by a package or by hand, and tries in vain to start until the host joins"
	}
	s.add(it)
	return s, nil
}

// stopKubelet writes the hold before it stops the unit: between the two,
// nothing may start it again.
func (t Target) stopKubelet(ctx context.Context, report plan.Report) error {
	if err := t.remember(); err != nil {
		return err
	}
	if err := os.MkdirAll(t.Host.Path(inventory.DropIns), 0o755); err != nil {
		return err
	}
	if err := t.put(inventory.HoldFile, hold, 0o644); err != nil {
		return fmt.Errorf("hold the kubelet: %w", err)
	}
	if err := t.Host.ReloadUnits(ctx); err != nil {
		return err
	}
	report("kubelet held, stopping it")
	if err := t.Host.StopUnit(ctx, kubeletUnit); err != nil {
		return err
	}
	u, err := t.Host.Unit(ctx, kubeletUnit)
	if err == nil && u.Running() {
		err = fmt.Errorf("%s is still %s", kubeletUnit, u.Active)
	}
	return err
}

// release takes the hold away again and leaves the kubelet stopped.
func (t Target) release() part {
	return part{
		id: "release", title: "Release the kubelet's unit", kind: inventory.KindUnit,
		needed: func(context.Context) (bool, error) { return t.exists(inventory.HoldFile), nil },
		take: func(ctx context.Context, _ plan.Report) error {
			return errors.Join(t.unhold(ctx), t.Host.ForgetFailure(ctx, kubeletUnit))
		},
	}
}

func (t Target) unhold(ctx context.Context) error {
	held := t.exists(inventory.HoldFile)
	if !held && !t.exists(partOf(inventory.HoldFile)) {
		return nil
	}
	if err := errors.Join(t.removeIf(partOf(inventory.HoldFile)), t.removeIf(inventory.HoldFile)); err != nil {
		return err
	}
	// Made by us, if nothing else is in it.
	_ = os.Remove(t.Host.Path(inventory.DropIns))
	if !held {
		return nil
	}
	return t.Host.ReloadUnits(ctx)
}

// Restore is the way back after a step that failed, or that was killed: it takes
// away what a removal has in place for a while only, releases the hold and starts
// the kubelet, which then starts this node's pods again, the network's
// agents included. It needs the node's credentials; once those are deleted it
// returns an error with a hint, and has only released the hold.
func (t Target) Restore(ctx context.Context) error {
	if err := t.stayMember(ctx); err != nil {
		return err
	}
	// Before the kubelet starts, or its first pods get the network that does nothing.
	if err := errors.Join(t.realNetwork(), t.unhold(ctx)); err != nil {
		return err
	}
	if !t.credentialed() || !t.exists(t.places().Config) {
		return plan.Hint(errors.New("start the kubelet again: its credentials are deleted already"),
			"run the removal again to finish it, or join this host anew: kubectl lifecycle join")
	}
	u, err := t.Host.Unit(ctx, kubeletUnit)
	if errors.Is(err, host.ErrNoSystemd) {
		return plan.Hint(err, "start the kubelet by hand")
	}
	if err != nil || u.Active == "active" {
		return err
	}
	if err := t.Host.ForgetFailure(ctx, kubeletUnit); err != nil {
		return err
	}
	return t.Host.StartUnit(ctx, kubeletUnit)
}
