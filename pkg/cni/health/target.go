// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"net/netip"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
)

// Target is the network whose health is asked for.
type Target struct {
	// Network is what is particular to it.
	Network catalogue.Network
	// Namespace and DaemonSet are where its agents are.
	Namespace, DaemonSet string
	// Pods is the range of the cluster's pods, if it is known.
	Pods []netip.Prefix
	// Unchanged says that nothing was to be changed: what does not work is a
	// finding then, and no failure of this run.
	Unchanged bool
}

// Works says whether the network works at this moment, by four requests.
func Works(ctx context.Context, client kubernetes.Interface, target Target) (bool, error) {
	v, err := look(ctx, client, target)
	return len(v.gaps())+len(v.faults()) == 0, err
}
