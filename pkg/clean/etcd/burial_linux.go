// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"fmt"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Bury takes the member of a dead host out of the etcd cluster of which this host
// has one, through any that is healthy. It may be called again.
func (t Member) Bury(ctx context.Context, b inventory.Burial) (inventory.Buried, error) {
	view, err := t.View(ctx)
	if err != nil || view == nil {
		return inventory.Buried{}, err
	}
	done := inventory.Buried{Cluster: view.Cluster}
	member, err := view.Burial(b)
	if err != nil || member == nil {
		return done, err
	}
	client, err := t.etcdClient()
	if err != nil {
		return done, err
	}
	id, err := parseID(member.ID)
	if err != nil {
		return done, err
	}
	var errs []error
	for _, m := range view.Members {
		if m.Trouble != "" || m.Learner {
			continue
		}
		err := takeOut(ctx, client, m.URL, id, view.Cluster)
		if err == nil {
			done.Member = *member
			return done, nil
		}
		errs = append(errs, err)
	}
	return done, plan.Hint(fmt.Errorf("take member %s out of the etcd cluster: %w", member, part.Summary(errs)),
		"see how its members are: etcdctl endpoint health --cluster")
}
