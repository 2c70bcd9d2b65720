// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Package hostprep is what the program on a host does to prepare it for kubeadm: it
// reads, decides, changes, and reads again. Who asked, a person on the host or the
// plugin, makes no difference.
package hostprep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/apply"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/survey"
)

// Do does what an order says, and returns what a person is to know. What changes the
// host is done by one at a time.
func Do(ctx context.Context, order prep.Order, watch plan.Observer, talk report.Talk) (prep.Outcome, error) {
	if order.Apply && os.Geteuid() == 0 {
		unlock, err := alone(ctx)
		if err != nil {
			return prep.Outcome{}, err
		}
		defer unlock()
	}
	return do(ctx, order, watch, talk)
}

func do(ctx context.Context, order prep.Order, watch plan.Observer, talk report.Talk) (prep.Outcome, error) {
	machine := apply.Host{}
	if order.Undo {
		return undo(ctx, machine, order, watch)
	}
	facts := lookNow(ctx, order)
	out := prep.Outcome{}
	mayChange := order.Wanted.Joined || !facts.MayBeNode()
	if order.Install != nil && mayChange {
		p, stage, err := rehearse(ctx, *order.Install, facts, talk)
		if err != nil {
			return out, err
		}
		defer func() { _ = stage.Close() }() // of a cache
		facts.Install, machine.Packages = &p, stage
	}
	out.Report, out.CRISocket = prep.Decide(facts, order.Wanted), facts.Runtime.Chosen
	changes := out.Report.Changes()
	if !order.Apply || len(changes) == 0 || !mayChange {
		return out, nil
	}
	if os.Geteuid() != 0 {
		return out, plan.Refuse(errors.New("only root can prepare a host"), "run it with sudo")
	}
	if facts.Install != nil && !facts.Install.None() { // what comes is looked at before anything else is changed
		if err := makeAll(ctx, machine, prep.Installation(*facts.Install), watch, &out); err != nil {
			return out, err
		}
		out.Report = prep.Decide(lookNow(ctx, order), order.Wanted)
		changes = out.Report.Changes()
	}
	if len(changes) == 0 {
		return out, nil
	}
	if err := makeAll(ctx, machine, changes, watch, &out); err != nil {
		return out, err
	}
	out.Report = prep.Decide(lookNow(ctx, order), order.Wanted)
	return out, nil
}

// makeAll makes changes, and notes them.
func makeAll(ctx context.Context, machine apply.Host, changes []prep.Change, watch plan.Observer, out *prep.Outcome) error {
	if made, err := machine.Recipe(changes).Run(ctx, watch); err != nil {
		if len(made.Done)+len(out.Made) > 0 {
			err = plan.Begun(err)
		}
		return err
	}
	for _, c := range changes {
		out.Made = append(out.Made, c.String())
	}
	return nil
}

// lookNow is look, and how far the clocks are apart.
func lookNow(ctx context.Context, order prep.Order) prep.Facts {
	facts := look(ctx, order.Wanted)
	if order.Now != 0 {
		skew := order.Skew()
		facts.Clock.SkewSeconds = &skew
	}
	return facts
}

// look reads the host, and what an earlier cluster has left on it: a removal finds all of
// that, so it is asked. What a host has that is a node is no leftover.
func look(ctx context.Context, wanted prep.Wanted) prep.Facts {
	facts := survey.Read(ctx, host.Local{}, wanted)
	if wanted.Joined || facts.MayBeNode() {
		return facts
	}
	if os.Geteuid() != 0 {
		facts.Unread["leftovers"] = "only root sees all that an earlier cluster may have left"
		return facts
	}
	inv, err := clean.Target{}.Survey(ctx)
	facts.Leftovers, facts.LeftLinks = left(inv)
	unchecked := slices.DeleteFunc(inv.Unchecked, func(u inventory.Unchecked) bool { return u.Kind == inventory.KindUnit })
	switch {
	case err != nil:
		facts.Unread["leftovers"] = err.Error()
	case len(facts.Leftovers) == 0 && len(unchecked) > 0:
		facts.Unread["leftovers"] = unchecked[0].What + ": " + unchecked[0].Why
	}
	return facts
}

// mostLeft bounds how many leftovers leave the host.
const mostLeft = 100

// left are the leftovers of an inventory, and the links among them. A link that has only
// the name of a network's is one, too: the next network of that name takes it for its own.
// A kubelet that runs is none: it may try in vain to start until the host joins.
func left(inv inventory.Inventory) (all, links []string) {
	for _, it := range inventory.Decide(inv).Objects {
		if it.Kind != inventory.KindUnit {
			all = append(all, it.String())
		}
	}
	for _, it := range inv.Items {
		perhaps := it.Fate == inventory.Stays && it.Refers != ""
		if it.Kind != inventory.KindLink || it.Fate != inventory.Goes && !perhaps || it.In != "" {
			continue
		}
		links = append(links, it.Name)
		if perhaps {
			all = append(all, it.String())
		}
	}
	return all[:min(len(all), mostLeft)], links[:min(len(links), mostLeft)]
}

// undo takes back what earlier runs have changed, or says what it would.
func undo(ctx context.Context, machine apply.Host, order prep.Order, watch plan.Observer) (out prep.Outcome, err error) {
	pending, err := machine.Pending()
	if err != nil {
		return out, err
	}
	for _, c := range pending {
		out.Pending = append(out.Pending, c.String())
	}
	if !order.Apply || len(pending) == 0 {
		return out, nil
	}
	if os.Geteuid() != 0 {
		return out, plan.Refuse(errors.New("only root can change a host back"), "run it with sudo")
	}
	if facts := survey.Read(ctx, host.Local{}, order.Wanted); facts.MayBeNode() {
		return out, plan.Refuse(errors.New("this host is, or may be, a node of a cluster, which needs what prep has changed"),
			"remove it from there first (kubectl lifecycle remove NODE); where the cluster is gone: lifecycle-node clean")
	}
	_, err = plan.Plan{Title: "Take the preparation back", Steps: []plan.Step{{
		ID: "prep/undo", Title: "Take back what was changed",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			out.Undone, err = machine.Undo(ctx, report)
			return err
		},
	}}}.Run(ctx, watch)
	out.Pending = nil
	return out, err
}

// Answer does what the plugin asks, and returns the outcome as it travels.
func Answer(ctx context.Context, task json.RawMessage, talk report.Talk) (json.RawMessage, error) {
	var order prep.Order
	if err := json.Unmarshal(task, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", err)
	}
	out, err := Do(ctx, order, saying(talk), talk)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(out.Shown())
	if err != nil {
		return nil, fmt.Errorf("encode the outcome: %w", err)
	}
	return raw, nil
}
