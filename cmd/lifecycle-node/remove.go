// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// target is this host with the facts of the run.
func (w *worker) target() (clean.Target, error) {
	o, err := orderOf(w.spec)
	return clean.Target{Facts: o.Facts, Choices: o.Choices, StateDir: stateDir, Reach: w.api.reach}, err
}

// orderOf is what the spec says about the removal.
func orderOf(spec wire.Spec) (o inventory.Order, err error) {
	if err := json.Unmarshal(spec.Task, &o); err != nil {
		return o, fmt.Errorf("decode the order: %w", err)
	}
	return o, o.Validate()
}

// remove cleans the host and proves it: inventory, recipe, inventory, verdict.
// It returns the verdict as the record's outcome; a host that is not clean is
// an error that names what is left.
func (w *worker) remove(ctx context.Context) (json.RawMessage, error) {
	t, err := w.target()
	if err != nil {
		return nil, err
	}
	before, err := inventoryBefore(ctx, t)
	if err != nil {
		return nil, err
	}
	if _, err := t.Recipe().Run(ctx, w.report); err != nil {
		return nil, err
	}
	var verdict inventory.Verdict
	proof := plan.Plan{Title: "Prove it", Steps: []plan.Step{{
		ID: "host/verify", Title: "Look at the host again and compare",
		Do: func(ctx context.Context, report plan.Report) error {
			after, err := t.Survey(ctx)
			if err != nil {
				return err
			}
			verdict = inventory.Verify(before, after)
			verdict.Backup = t.Backup()
			report("verdict: %s", verdict.Summary())
			return dirty(verdict)
		},
	}}}
	if _, err := proof.Run(ctx, w.report); err != nil {
		return nil, err
	}
	return outcome(verdict.Brief())
}

// inventoryBefore is the inventory that was taken before the first change,
// however often the program has been started since.
func inventoryBefore(ctx context.Context, t clean.Target) (inventory.Inventory, error) {
	var inv inventory.Inventory
	raw, err := host.ReadPlain(in("before.json"), mostOfState)
	if err == nil && json.Unmarshal(raw, &inv) == nil {
		return inv, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return inv, err
	}
	inv = inventory.Inventory{} // of a damaged one nothing counts
	if inv, err = t.Survey(ctx); err != nil {
		return inv, err
	}
	if raw, err = json.Marshal(inv); err != nil {
		return inv, fmt.Errorf("encode the inventory: %w", err)
	}
	return inv, place(in("before.json"), 0o600, strings.NewReader(string(raw)))
}

// dirty is the error of a verdict that is not clean.
func dirty(v inventory.Verdict) error {
	if v.State != inventory.Dirty {
		return nil
	}
	const most = 10
	var names []string
	for _, item := range v.Remaining {
		names = append(names, item.String())
	}
	for _, part := range v.Unchecked {
		names = append(names, fmt.Sprintf("%s not checked: %s", part.What, part.Why))
	}
	names = append(names, v.Blocking...)
	for i := range names {
		names[i] = text.Short(names[i], 300)
	}
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("and %d more", more))
	}
	return plan.Hint(fmt.Errorf("the host is not clean:\n  %s", strings.Join(names, "\n  ")),
		"look at what holds these, then run the same command again")
}

// tidy takes away what an earlier run has left that was killed: with the kubelet
// held, or a network in place that does nothing, the host would not be as it was.
func (w *worker) tidy(ctx context.Context) error {
	t, err := w.target()
	if err != nil || !t.Interrupted() {
		return err
	}
	return t.Restore(ctx)
}

// goBack starts the kubelet again, while its credentials are there. Those of
// another cluster, which the host was about to join, are no way back.
func (w *worker) goBack(ctx context.Context) error {
	if past().Cleaned {
		return plan.Hint(errors.New("start the kubelet again: the host has left its cluster already"),
			"run the same command again to finish it")
	}
	t, err := w.target()
	if err != nil {
		return err
	}
	back := plan.Plan{Title: "Take it back", Steps: []plan.Step{{
		ID: "host/restore", Title: "Start the kubelet again",
		Do: func(ctx context.Context, _ plan.Report) error { return t.Restore(ctx) },
	}}}
	_, err = back.Run(ctx, w.report)
	return err
}
