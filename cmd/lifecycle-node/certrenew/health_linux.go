// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
)

// healthy asks the API server of this host whether it is ready, and the members of etcd how
// they are, until they are well.
func (r *renewal) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wellWithin)
	defer cancel()
	var last error
	for {
		if last = r.once(ctx); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(every):
		}
	}
}

func (r *renewal) once(ctx context.Context) error {
	if err := certlook.Ready(ctx, certlook.Files{Root: r.host.Root}, r.order.Layout); err != nil {
		return err
	}
	view, err := clean.Target{Host: r.host}.Etcd(ctx)
	if err != nil || view == nil { // where it is nil, etcd has hosts of its own
		return err
	}
	for _, m := range view.Members {
		if m.Trouble != "" {
			return fmt.Errorf("member %s of etcd %s", m.Name, m.Trouble)
		}
		if m.Learner {
			return fmt.Errorf("member %s of etcd is still learning", m.Name)
		}
	}
	if r.order.Members > 0 && len(view.Members) != r.order.Members {
		return fmt.Errorf("etcd has %d members by now, not %d", len(view.Members), r.order.Members)
	}
	return nil
}
