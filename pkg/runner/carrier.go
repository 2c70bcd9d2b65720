// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// Carrier brings the node program onto one host. What comes after that, the run
// itself, is the same whatever brought it there.
type Carrier interface {
	// Open prepares the way. It refuses, with nothing changed on the host, where
	// there is none.
	Open(ctx context.Context, report plan.Report) error
	// Deliver hands over the program and a delivery, and returns what the program
	// answers: it has done what was asked, or goes on as a unit of the host.
	Deliver(ctx context.Context, delivery wire.Delivery, report plan.Report) (wire.Answer, error)
	// Close takes away what Open made, after an interruption, too.
	Close(ctx context.Context) error
}

// carrier is the way to a node: a pod. The namespace, the image and the check of
// whose a pod is are the cluster's.
func (c Cluster) carrier(ctx context.Context, r podcarrier.Request, report plan.Report) (Carrier, error) {
	r.Namespace, r.Image = c.RunNamespace(), c.Image
	r.Ours = func(pod *corev1.Pod) bool { return IsRunnerPod(pod, c.Namespace) }
	return podcarrier.New(ctx, c.Client, c.Config, r, report)
}
