// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/status"
)

// Survey reads what the cluster says of its network, and the releases of the
// networks that can be installed: the one that the agents name, else the one that
// would be made. With nil releases, none are looked for. Any error is of reading.
func Survey(ctx context.Context, client kubernetes.Interface, releases release.Store) (facts.Facts, error) {
	f, err := facts.Read(ctx, client, catalogue.Signs())
	if err != nil || releases == nil {
		return f, err
	}
	for _, network := range catalogue.Networks() {
		namespace, name := network.Home(f)
		found, err := releases.Find(ctx, namespace, name)
		if _, there := f.Network(network.Name); apierrors.IsForbidden(err) && !there {
			continue // nothing of it is there, and who installs it is asked for the permission
		}
		if err != nil {
			return facts.Facts{}, fmt.Errorf("find release %s in namespace %s: %w", name, namespace, err)
		}
		if found.Revision > 0 {
			f.Releases = append(f.Releases, found)
		}
	}
	return f, nil
}

// Observe reads how the network is that the cluster has, also one that was installed otherwise.
func Observe(ctx context.Context, client kubernetes.Interface, releases release.Store) (finding.Input, error) {
	return status.Read(ctx, client, releases, catalogue.Signs())
}
