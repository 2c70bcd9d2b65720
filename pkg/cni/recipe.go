// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/health"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Recipe is the plan of an installation that Prepare has prepared:
//
//	namespace   exists, and admits the agents' privileged pods; kube-system does
//	definitions of custom resources are served, for a network that has any
//	release     is applied
//	network     works (see health.Wait)
//
// A run in which all steps are skipped is one with nothing to do.
func Recipe(client kubernetes.Interface, releases release.Store, inst Installation) plan.Plan {
	var steps []plan.Step
	if inst.ownNamespace() {
		steps = append(steps, plan.Step{
			ID:     "namespace",
			Title:  fmt.Sprintf("Let namespace %s run privileged pods", inst.Namespace),
			Needed: func(ctx context.Context) (bool, error) { return namespaceNeeded(ctx, client, inst.Namespace) },
			Do: func(ctx context.Context, _ plan.Report) error {
				return ensureNamespace(ctx, client, inst.Namespace)
			},
		})
	}
	if inst.define && inst.Action != release.Keep {
		steps = append(steps, plan.Step{
			ID:     "definitions",
			Title:  "Apply the definitions of " + inst.CNI + "'s custom resources, and wait until the API serves them",
			Needed: func(context.Context) (bool, error) { return true, nil },
			Do: func(ctx context.Context, report plan.Report) error {
				count, err := releases.Define(ctx, inst.defining())
				if err != nil {
					return fmt.Errorf("apply the definitions of %s: %w", inst.CNI, err)
				}
				report("the API serves %d kinds", count)
				return nil
			},
		})
	}
	steps = append(steps, []plan.Step{
		{
			ID:     "release",
			Title:  releaseTitle(inst),
			Needed: func(context.Context) (bool, error) { return inst.Action != release.Keep, nil },
			Do: func(ctx context.Context, report plan.Report) error {
				return apply(ctx, releases, inst, report)
			},
		},
		{
			ID:    "network",
			Title: "Wait until the network works",
			Needed: func(ctx context.Context) (bool, error) {
				works, err := health.Works(ctx, client, inst.target())
				return !works, err
			},
			Do: func(ctx context.Context, report plan.Report) error {
				return health.Wait(ctx, client, inst.target(), report)
			},
		},
	}...)
	return plan.Plan{Title: "Install " + inst.CNI, Steps: steps, Notes: inst.Notes}
}

func releaseTitle(inst Installation) string {
	name := cmp.Or(inst.Chart.Name, inst.network.ChartName(), inst.CNI)
	switch inst.Action {
	case release.Keep:
		return fmt.Sprintf("Keep release %s with chart %s %s", inst.Release, name, inst.prior.Version)
	case release.Upgrade:
		return fmt.Sprintf("Upgrade release %s to chart %s %s", inst.Release, name, inst.Chart.Version)
	case release.Install, release.Replace:
	}
	return fmt.Sprintf("Install chart %s %s as release %s", name, inst.Chart.Version, inst.Release)
}

// Look says what the network does not reach once it works, and what may be wrong
// with it. It changes nothing.
func Look(ctx context.Context, client kubernetes.Interface, inst Installation) (health.Outcome, error) {
	return health.Look(ctx, client, inst.target())
}
