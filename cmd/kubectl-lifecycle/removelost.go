// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// lost is the machine-readable result of giving a node up.
type lost struct {
	Node string         `json:"node"`
	Pods drain.Decision `json:"drain"`
	// Facts are what the node program wants to know if the host comes back.
	Facts clean.Facts `json:"facts"`
}

// removeLost gives up a node whose host is dead.
func (e *env) removeLost(ctx context.Context, cluster runner.Cluster, name string, mode dryRun, f removeFlags) error {
	if mode == dryRunServer {
		return misused("a host that is dead cannot be asked what it has: use --dry-run=client")
	}
	l, err := flow.PrepareLost(ctx, cluster, name, f.timeout, e.say)
	if errors.Is(err, flow.ErrNoNode) {
		return e.absent(ctx, cluster, name, f, err)
	}
	if err != nil {
		return nothingChanged(err)
	}
	result := lost{Node: name, Pods: l.Drain, Facts: l.Facts}
	e.showPlan(l.Plan(), l.Warnings)
	if mode != dryRunNone {
		return e.print(f.output, result, func(s *sheet) error {
			return s.line("node/%s would be given up with %s (dry run: nothing was changed)", nameOf(name), countPods(len(l.Drain.Verdicts)))
		})
	}
	if !f.yes {
		if err := e.confirm(fmt.Sprintf("This gives up node %s and %s. Its host must be switched off.", name, countPods(len(l.Drain.Verdicts))), name); err != nil {
			return err
		}
	}
	progress := e.progress()
	_, err = l.Plan().Run(ctx, progress)
	progress.close()
	if err != nil {
		return err
	}
	e.sayIfItComesBack(l)
	if f.output == "name" {
		return e.names("node", name)
	}
	return e.print(f.output, result, func(s *sheet) error { return s.line("node/%s given up", nameOf(name)) })
}

// sayIfItComesBack tells what to do with a host that is not dead after all.
func (e *env) sayIfItComesBack(l *flow.Lost) {
	facts, err := json.Marshal(l.Facts)
	if err != nil {
		facts = []byte("{}")
	}
	arch := l.Node.Status.NodeInfo.Architecture
	e.say("Should the host come back, its kubelet joins this cluster again by itself. To clean it, bring it this program")
	e.say("  kubectl lifecycle node-program --arch %s > lifecycle-node", arch)
	e.say("and run it there, as root (without --yes it only shows what would go):")
	e.say("  chmod +x lifecycle-node && ./lifecycle-node clean --yes '%s'", facts)
	e.say("  kubectl delete node %s", l.Node.Name)
}

func misused(text string) error { return plan.As(plan.Misused, errors.New(text)) }
