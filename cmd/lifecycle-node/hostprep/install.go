// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"context"
	"errors"
	"os"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/apply"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/install"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep/packages"
)

// rehearse brings packages that the host lacks to a stage on it, and says what installing
// them would do. Nothing is changed yet: an error is a refusal.
func rehearse(ctx context.Context, order packages.Order, facts prep.Facts, talk report.Talk) (packages.Plan, install.Stage, error) {
	if os.Geteuid() != 0 {
		return packages.Plan{}, install.Stage{}, plan.Refuse(errors.New("only root can say what an installation would do"), "run it with sudo")
	}
	lacking := needs(facts)
	var err error
	if lacking.Brought, err = (apply.Host{}).Brought(); err != nil {
		return packages.Plan{}, install.Stage{}, err
	}
	stage, err := install.Open(host.Local{}, talk.Fetch, talk.Say)
	if err != nil {
		return packages.Plan{}, stage, err
	}
	p, err := stage.Plan(ctx, order, lacking)
	if err != nil {
		_ = stage.Close() // of a cache
		if ctx.Err() == nil {
			err = plan.As(plan.Refused, err)
		}
	}
	return p, stage, err
}

// needs are what a host lacks of what packages bring.
func needs(facts prep.Facts) (n packages.Needs) {
	for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
		if _, there := facts.Programs[name]; !there {
			n.Kubernetes = append(n.Kubernetes, name)
		}
	}
	n.Runtime = facts.Runtime.Program == ""
	for _, name := range prep.ToolsWanted() {
		if _, there := facts.Programs[name]; !there {
			n.Tools = append(n.Tools, name)
		}
	}
	return n
}

// saying tells each step as it begins, and what it says.
func saying(talk report.Talk) plan.Observer {
	return plan.ObserverFunc(func(e plan.Event) {
		switch e.Kind {
		case plan.Started:
			talk.Say("%s", e.Title)
		case plan.Progress:
			talk.Say("%s", e.Message)
		default: // the answer tells the rest
		}
	})
}
