// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newcontrolplane"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/marks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// another is the cluster that a host joins and, where it is to be a control plane, the
// one whose host shares the certificates. It is for one host at a time.
type another struct {
	cluster runner.Cluster
	about   join.Cluster
	// marks are what the node gets once it is Ready.
	marks marks.Marks
	// choice is nil for a worker.
	choice *newcontrolplane.Choice
	// published is what lies in the cluster for the host.
	published certificates.Published
}

// controlPlane reads what a control plane needs to join; nothing for a worker.
func (c commands) controlPlane(ctx context.Context, client kubernetes.Interface, about join.Cluster, f joinFlags) (*another, error) {
	a := &another{cluster: runner.Cluster{Client: client}, about: about}
	var err error
	if a.marks, err = f.marks(); err == nil {
		err = kube.Require(ctx, client, a.marks.Needs())
	}
	if err != nil {
		return nil, err
	}
	if !f.controlPlane {
		return a, nil
	}
	cluster, err := c.Cluster(f.runner)
	if err != nil {
		return nil, err
	}
	a.cluster = cluster
	facts, err := newcontrolplane.Read(ctx, cluster.Client, about)
	if err != nil {
		return nil, err
	}
	choice, err := facts.Choose()
	if err != nil {
		return nil, err
	}
	for _, w := range choice.Warnings {
		c.Warn("%s", w)
	}
	a.choice = &choice
	return a, nil
}

// shareStep has the certificates shared; the key is in offer afterwards.
func (a *another) shareStep(prefix string, offer func() newcontrolplane.Offer) []plan.Step {
	if a.choice == nil {
		return nil
	}
	return []plan.Step{{ID: prefix + "certificates", Title: "Have " + a.choice.Node.Name + " encrypt the cluster's certificates",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			a.published, err = newcontrolplane.Share(ctx, a.cluster, *a.choice, offer(), report)
			return err
		}}}
}

// followSteps wait until the node of a host serves as a control plane, take the
// certificates out of the cluster, and give the node its marks.
func (a *another) followSteps(prefix string, node *string) []plan.Step {
	var steps []plan.Step
	if a.choice != nil {
		steps = a.planeSteps(prefix, node)
	}
	if a.marks.None() {
		return steps
	}
	return append(steps, plan.Step{ID: prefix + "marks", Title: "Set the node's role, labels and taints",
		Do: func(ctx context.Context, report plan.Report) error {
			return a.marks.Apply(ctx, a.cluster.Client, *node, report)
		}})
}

func (a *another) planeSteps(prefix string, node *string) []plan.Step {
	return []plan.Step{
		{ID: prefix + "components", Title: "Wait until its control plane is Ready", Do: func(ctx context.Context, report plan.Report) error {
			return newcontrolplane.Await(ctx, a.cluster.Client, *node, a.about.ExternalEtcd != nil, report)
		}},
		{ID: prefix + "withdraw", Title: "Delete the certificates from the cluster", Do: func(ctx context.Context, _ plan.Report) error {
			return a.withdraw(ctx)
		}},
	}
}

// withdraw works after a Ctrl-C, too.
func (a *another) withdraw(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return certificates.Withdraw(ctx, a.cluster.Client, a.published)
}

// offer shares the certificates for the host that joins by a printed command.
func (c commands) offer(ctx context.Context, a *another, token bootstrap.Token, f *joinFlags) error {
	key := certificates.NewKey()
	p := plan.Plan{Title: "Share the certificates",
		Steps: a.shareStep("", func() newcontrolplane.Offer { return newcontrolplane.Offer{Token: token, Key: key} })}
	if len(p.Steps) == 0 {
		return nil
	}
	progress := c.Progress()
	defer progress.Close()
	_, err := p.Run(ctx, progress)
	f.command.CertificateKey = key.Hex()
	return err
}
