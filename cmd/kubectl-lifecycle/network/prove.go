// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"slices"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/probe"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// prover sends packets through the network.
type prover func(ctx context.Context, report plan.Report) (probe.Result, error)

// usualNodes is between how many nodes packets are sent unless a person says so.
const usualNodes = 3

// proving is the prover of a cluster.
func (c commands) proving(flags env.RunnerFlags) prover {
	return func(ctx context.Context, report plan.Report) (probe.Result, error) {
		cluster, err := c.Cluster(flags)
		if err != nil {
			return probe.Result{}, err
		}
		return probe.Run(ctx, cluster, probe.Options{Most: usualNodes}, report)
	}
}

// proof is what came of a prover; the zero value is of one that was not asked.
type proof struct {
	result probe.Result
	// unproved is why no packets could be sent.
	unproved error
}

// proved adds to a plan that it ends with packets that are sent through the network, if
// anything was done before. That no pod can be started for them is no failure of what
// was done.
func proved(p plan.Plan, prove prover) (plan.Plan, *proof) {
	out := &proof{}
	if prove == nil {
		return p, out
	}
	touched := false
	p.Steps = slices.Clone(p.Steps)
	for i, step := range p.Steps {
		p.Steps[i].Do = func(ctx context.Context, report plan.Report) error {
			touched = true
			return step.Do(ctx, report)
		}
	}
	p.Steps = append(p.Steps, plan.Step{
		ID: "probe", Title: "Send packets through the network",
		Needed: func(context.Context) (bool, error) { return touched, nil },
		Do: func(ctx context.Context, report plan.Report) error {
			out.result, out.unproved = prove(ctx, report)
			if ctx.Err() != nil {
				return out.unproved
			}
			return nil
		},
	})
	return p, out
}

// tellProof writes what does not arrive. The error says that the network does not work;
// a port of a host that leads nowhere is a warning, because some networks serve none.
func (c commands) tellProof(p proof) error {
	if p.unproved != nil {
		c.Warn("no packets were sent through the network: %v", p.unproved)
		if hint := plan.HintOf(p.unproved); hint != "" {
			c.Say("         %s", hint)
		}
		return nil
	}
	failed := p.result.Failed()
	if len(failed) == 0 {
		return nil
	}
	if err := view.Probe(c.ErrSheet(), p.result, false); err != nil {
		return err
	}
	if len(failed) == 1 && failed[0].Name == probe.HostPort {
		c.Warn("ports of hosts (hostPort) lead to no pod with this network as it is")
		return nil
	}
	err := errors.New("the network is installed, but not everything arrives through it")
	if cures := view.CuresOf(p.result); len(cures) > 0 {
		return plan.Hint(err, "see why: kubectl lifecycle cni explain %s; then test again: kubectl lifecycle cni test", text.Quote(cures[0].ID))
	}
	return plan.Hint(err, "see each node: kubectl lifecycle cni status; then test again: kubectl lifecycle cni test")
}
