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

	"golang.org/x/sys/unix"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// removal cleans the host.
func removal() operation {
	return operation{name: wire.Remove, run: &run{
		mayGoOn: func(*worker) error { return notJoinedSince() },
		do:      func(ctx context.Context, w *worker) (json.RawMessage, error) { return w.remove(ctx) },
	}}
}

// notJoinedSince refuses a host that was made a node again since the removal began.
func notJoinedSince() error {
	joined, err := joinedSince()
	if err != nil {
		return fmt.Errorf("find out whether this host has joined a cluster since the removal began: %w", err)
	}
	if !joined {
		return nil
	}
	return plan.Hint(errors.New("since the removal began, this host has joined a cluster again, and is not touched"),
		"if it is to stay there, take the run off the host: rm -r %s %s; else remove it from there", stateDir, unitFile)
}

// nodeConf is what makes a host a node.
const nodeConf = "/etc/kubernetes/kubelet.conf"

// nodeMark tells one kubelet.conf from another that has its name later: no clock of
// this host has to be right for that, and no file system has to know when a file was
// made.
func nodeMark() string {
	var stat unix.Stat_t
	switch err := unix.Lstat(nodeConf, &stat); {
	case errors.Is(err, unix.ENOENT):
		return noNode
	case err != nil:
		return ""
	}
	return fmt.Sprintf("%d %d", stat.Ino, stat.Mtim.Nano()) // devices change their numbers with a boot
}

// noNode is the mark of a host that has none.
const noNode = "none"

// joinedSince reports whether this host was made a node again since the work
// began: its kubelet.conf is another one, or younger than that. A removal only ever
// deletes it.
func joinedSince() (bool, error) {
	began, err := os.Lstat(in(begunFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	raw, err := host.ReadPlain(in(begunFile), mostOfName)
	if err != nil {
		return false, err
	}
	_, was, noted := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	now := nodeMark()
	if noted && now != noNode && now != was {
		return true, nil
	}
	born, err := host.Local{}.Born(nodeConf)
	return err == nil && !born.IsZero() && born.After(began.ModTime()), err
}

// target is this host with the facts of the run.
func (w *worker) target() (clean.Target, error) {
	o, err := orderOf(w.spec)
	return clean.Target{Facts: o.Facts, Choices: o.Choices, StateDir: stateDir, Reach: w.api.Reach}, err
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
	if _, err := t.Recipe().Run(ctx, w.reporter); err != nil {
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
	if _, err := proof.Run(ctx, w.reporter); err != nil {
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
	if err != nil {
		return err
	}
	if interrupted, err := t.Interrupted(); err != nil || !interrupted {
		return err
	}
	return t.Restore(ctx)
}

// goBack starts the kubelet again, while its credentials are there. Those of
// another cluster, which the host was about to join, are no way back.
func (w *worker) goBack(ctx context.Context) error {
	there, err := past()
	if err != nil {
		return err
	}
	if there.Cleaned {
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
	_, err = back.Run(ctx, w.reporter)
	return err
}
