// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/ownership"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// noNetwork is a network of which there is nothing to take down. Its name is
// flannel's, so that what the runtime remembers of pods is found by it; the
// plugin is one that every runtime needs for itself.
const noNetwork = `{"cniVersion": "0.3.1", "name": "cbr0", "plugins": [{"type": "loopback"}]}
`

const (
	// reloadLimit is how long a runtime may take to notice a new configuration.
	reloadLimit = 10 * time.Second
	reloadPause = 250 * time.Millisecond
)

// removeWithoutNetwork removes pods whose network cannot be taken down: its
// plugins are gone or broken, or wait for an API server that does not answer.
// A runtime asks the plugins again for ever (kubernetes-sigs/cri-tools#1687),
// so for a moment it gets a network that does nothing, and the pods' network
// namespaces are removed by us; the kernel takes their links down with them.
// Addresses and rules that the plugins would have given back go in later steps.
func (t Runtime) removeWithoutNetwork(ctx context.Context, client *cri.Client, pods []pod, report plan.Report) []error {
	if err := t.Put(inventory.NoNetworkFile, noNetwork, 0o600); err != nil {
		return []error{fmt.Errorf("put a network that does nothing in place: %w", err)}
	}
	defer func() { _ = t.RealNetwork() }() // else Restore does, or the step that removes files
	for _, p := range pods {
		report("removing pod %s/%s without its network, which cannot be taken down", p.Namespace, p.Name)
		t.cutOff(ctx, client, p)
		t.endPlugins(p, report)
	}
	var errs []error
	for deadline := time.Now().Add(reloadLimit); ; {
		if errs = t.removePods(ctx, client, pods, report); len(errs) == 0 || time.Now().After(deadline) {
			return errs
		}
		select {
		case <-ctx.Done():
			return append(errs, context.Cause(ctx))
		case <-time.After(reloadPause):
		}
	}
}

// RealNetwork takes the network that does nothing away: as long as it is there,
// the runtime prefers it to the pods' own.
func (t Runtime) RealNetwork() error {
	return errors.Join(t.RemoveIf(inventory.NoNetworkFile), t.RemoveIf(part.Unfinished(inventory.NoNetworkFile)))
}

// cutOff removes the network namespace of a pod, if it is one that was made
// for a pod. What goes wrong here shows when the pod is removed.
func (t Runtime) cutOff(ctx context.Context, client *cri.Client, p pod) {
	var path string
	err := bounded(ctx, criListLimit, func(ctx context.Context) (err error) {
		path, err = client.NetNS(ctx, p.ID)
		return err
	})
	path = strings.Replace(path, "/var/run/", "/run/", 1)
	if err != nil || ownership.Mounts().Owner(path) == inventory.Foreign {
		return
	}
	_ = t.UnmountAll(ctx, func(m host.Mount) bool { return m.Path == path }, func(host.Mount) {})
	_ = t.Remove(path)
}
