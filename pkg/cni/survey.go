// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
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
		namespace, name := home(f, network)
		found, err := releases.Find(ctx, namespace, name)
		if err != nil {
			return facts.Facts{}, fmt.Errorf("find release %s in namespace %s: %w", name, namespace, err)
		}
		if found.Revision > 0 {
			f.Releases = append(f.Releases, found)
		}
	}
	return f, nil
}

// home is where the release of a network is, or would be.
func home(f facts.Facts, network catalogue.Network) (namespace, name string) {
	if n, ok := f.Network(network.Name); ok && n.Release != "" {
		return n.ReleaseNamespace, n.Release
	}
	return network.Namespace, network.Name
}
