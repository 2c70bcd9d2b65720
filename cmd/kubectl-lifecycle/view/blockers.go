// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
)

// blockers are what keeps pods, and what would let them go.
func (p *page) blockers(f forecast.Forecast) {
	behind := f.Kept()
	for _, b := range f.Blockers {
		behind -= len(b.Pods)
	}
	if f.Kept() == 0 {
		return
	}
	p.section("KEPT")
	for i, b := range f.Blockers {
		if i == maxEntries {
			p.item("  ", fmt.Sprintf("and %d more; -o json has all", len(f.Blockers)-i))
			break
		}
		p.blocker(b)
	}
	if behind > 0 {
		p.item("  ", fmt.Sprintf("%s %s behind the blocked pods and never %s a turn", CountPods(behind), choose(behind == 1, "queues", "queue"),
			choose(behind == 1, "gets", "get")))
	}
}

func (p *page) blocker(b forecast.Blocker) {
	p.item("  ", podList(b.Pods)+" of "+b.Owners.String())
	for _, budget := range b.Budgets {
		p.item("    ", "PodDisruptionBudget "+budget.String()+": "+budget.Numbers())
	}
	p.item("    ", string(b.Class)+": "+b.Why)
	for _, r := range b.Releases {
		where := r.Where()
		p.item("    ", r.Undoes()+choose(where == "", "", ":"))
		if where != "" {
			_ = p.Command("      ", where) // the sheet keeps the error
		}
	}
	for i, c := range b.Remedies {
		p.item("    ", choose(i == 0, "to unblock it:", "or:"))
		_ = p.Command("      ", c.Command)
		p.item("        ", c.Effect)
	}
}

// losses are the pods that find no node, and what is lost or down for a while.
func (p *page) losses(f forecast.Forecast) {
	if len(f.Unschedulable) > 0 {
		p.section("NO ROOM")
		p.unschedulable(f.Unschedulable)
	}
	warnings := f.Warnings()
	if len(f.Losses)+len(warnings) == 0 {
		return
	}
	p.section("LOST OR DOWN DURING THE DRAIN")
	for i, l := range f.Losses {
		if i == maxEntries {
			p.item("  ", fmt.Sprintf("and %d more; -o json has all", len(f.Losses)-i))
			break
		}
		p.item("  ", lossLine(l))
	}
	for _, w := range warnings {
		p.item("  ", w)
	}
}

// unschedulable puts pods of the same owner together that find no node for the same
// reasons.
func (p *page) unschedulable(all []forecast.Unschedulable) {
	groups := map[string][]drain.Pod{}
	var keys []string
	for _, h := range all {
		key := h.Owners.String() + ": " + strings.Join(h.Reasons, ", ")
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], h.Pod)
	}
	for i, key := range keys {
		if i == maxEntries {
			p.item("  ", fmt.Sprintf("and %d more; -o json has all", len(keys)-i))
			break
		}
		p.item("  ", fmt.Sprintf("%s would stay Pending (%s) of %s", CountPods(len(groups[key])), podList(groups[key]), key))
	}
}

func lossLine(l forecast.Loss) string {
	pods, detail := podList(l.Pods), choose(l.Detail == "", "", " ("+l.Detail+")")
	switch l.Kind {
	case forecast.LossEmptyDir:
		return "emptyDir data is lost: " + pods
	case forecast.LossHostPath:
		return "data on the node's disk stays behind" + detail + ": " + pods
	case forecast.LossLocalVolume:
		return "the volume is on this node" + detail + ", and the successor waits for it: " + pods
	case forecast.LossEphemeralVolume:
		return "an ephemeral volume ends with the pod" + detail + ", and the successor gets a new one: " + pods
	case forecast.LossUnmanaged:
		return "nothing recreates it: " + pods
	case forecast.LossSingleReplica:
		return "the only replica of " + l.Owners.String() + ", down until its successor is Ready: " + pods
	case forecast.LossJob:
		return l.Detail + ": " + pods
	case forecast.LossUndisturbed:
		return "asks not to be disrupted (annotation " + l.Detail + "): " + pods
	case forecast.LossAllReplicas:
		return "all replicas of " + l.Owners.String() + " leave together: " + pods
	}
	return string(l.Kind) + ": " + pods
}
