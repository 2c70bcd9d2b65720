// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Unit is the kubelet's unit of systemd.
const Unit = "kubelet.service"

// hold keeps the kubelet from starting as long as the file itself exists; so
// removing the file is enough to release it. The unit is not masked: masking
// fails where it lies in /etc/systemd/system, and a mask that is forgotten
// breaks the next join.
const hold = `# Written by kubectl-lifecycle while it removes this node. If no removal is
# under way, delete this file and run: systemctl daemon-reload
[Unit]
ConditionPathExists=!` + inventory.HoldFile + "\n"

// Kubelet stops the kubelet and keeps it stopped.
func (t Control) Kubelet() part.Part {
	return part.Part{
		ID: "kubelet", Kind: inventory.KindUnit, Look: t.lookKubelet,
		Needed: func(ctx context.Context) (bool, error) {
			u, err := t.Unit(ctx, Unit)
			if err != nil || u.Load == "not-found" {
				return false, err
			}
			node, err := t.Credentialed()
			return node && (u.Running() || !t.Held()) || u.Active == "active", err
		},
		Take: t.stopKubelet,
	}
}

// Held reports whether the hold is there and whole: one that was cut short, by a
// full disk or a power cut, holds nothing.
func (t Control) Held() bool {
	raw, err := t.ReadPlain(inventory.HoldFile, part.MostOfFile)
	return err == nil && string(raw) == hold
}

func (t Control) lookKubelet(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	held, unread := t.Exists(inventory.HoldFile)
	s.Missed(inventory.KindFile, inventory.HoldFile, unread)
	if held {
		s.Add(inventory.Item{
			Kind: inventory.KindFile, Name: inventory.HoldFile, Owner: inventory.Lifecycle, Fate: inventory.Goes,
			Turn:   inventory.AsHold,
			Detail: "holds the kubelet while a removal is under way",
		})
	}
	t.lookDropIns(&s)
	t.lookFlags(&s)
	u, err := t.Unit(ctx, Unit)
	if err != nil || u.Load == "not-found" || u.Load == "" {
		return s, err
	}
	it := inventory.Item{
		Kind: inventory.KindUnit, Name: Unit, Owner: inventory.Kubelet, Detail: u.Active, Fate: inventory.Harmless,
		Why: "installed by a package or by hand, and stopped",
	}
	if u.Enabled != "" {
		it.Detail += ", " + u.Enabled
	}
	node, unread := t.Credentialed()
	switch {
	case u.Active == "active", u.Running() && (node || unread != nil):
		it.Fate, it.Why = inventory.Goes, ""
	case u.Running():
		it.Why = "installed by a package or by hand, and tries in vain to start until the host joins"
	}
	s.Add(it)
	return s, nil
}

// stopKubelet writes the hold before it stops the unit: between the two,
// nothing may start it again.
func (t Control) stopKubelet(ctx context.Context, report plan.Report) error {
	if err := t.Remember(ctx); err != nil {
		return err
	}
	if err := t.makeDropIns(); err != nil {
		return fmt.Errorf("hold the kubelet: %w", err)
	}
	if err := t.Put(inventory.HoldFile, hold, 0o644); err != nil {
		return fmt.Errorf("hold the kubelet: %w", err)
	}
	if err := t.ReloadUnits(ctx); err != nil {
		return err
	}
	report("kubelet held, stopping it")
	if err := t.StopUnit(ctx, Unit); err != nil {
		return err
	}
	u, err := t.Unit(ctx, Unit)
	if err == nil && u.Running() {
		err = fmt.Errorf("%s is still %s", Unit, u.Active)
	}
	return err
}

// Release takes the hold away again and leaves the kubelet stopped.
func (t Control) Release() part.Part {
	return part.Part{
		ID: "release", Kind: inventory.KindUnit,
		Needed: func(context.Context) (bool, error) {
			held, err := t.Exists(inventory.HoldFile)
			made, err2 := t.Saved(part.DropInsFile)
			return held || made, errors.Join(err, err2)
		},
		Take: func(ctx context.Context, _ plan.Report) error {
			return errors.Join(t.Unhold(ctx), t.ForgetFailure(ctx, Unit))
		},
	}
}

// Unhold takes the hold on the kubelet away, if there is one.
func (t Control) Unhold(ctx context.Context) error {
	held, err := t.Exists(inventory.HoldFile)
	begun, err2 := t.Exists(part.Unfinished(inventory.HoldFile))
	made, err3 := t.Saved(part.DropInsFile)
	if err := errors.Join(err, err2, err3); err != nil || !held && !begun && !made {
		return err
	}
	if err := errors.Join(t.RemoveIf(part.Unfinished(inventory.HoldFile)), t.RemoveIf(inventory.HoldFile)); err != nil {
		return err
	}
	if made {
		if err := errors.Join(t.RemoveEmpty(inventory.DropIns), t.Unsave(part.DropInsFile)); err != nil {
			return err
		}
	}
	if !held {
		return nil
	}
	return t.ReloadUnits(ctx)
}
