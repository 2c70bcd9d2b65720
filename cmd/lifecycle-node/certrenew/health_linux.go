// SPDX-License-Identifier: Apache-2.0

package certrenew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certlook"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// healthy asks the API server of this host whether it is ready, and the members of etcd how
// they are, until they are well: all of them before something is changed, and the one of this
// host and the leader afterwards. What becomes of another host then is not of this renewal.
func (r *renewal) healthy(ctx context.Context, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, wellWithin)
	defer cancel()
	var last error
	for {
		if last = r.once(ctx, all); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(every):
		}
	}
}

func (r *renewal) once(ctx context.Context, all bool) error {
	if err := certlook.Ready(ctx, certlook.Files{Root: r.host.Root}, r.order.Layout); err != nil {
		return err
	}
	view, err := clean.Target{Host: r.host}.Etcd(ctx)
	if err != nil || view == nil { // where it is nil, etcd has hosts of its own
		return err
	}
	if all {
		return whole(*view, r.order.Members)
	}
	return own(*view)
}

// whole says what is wrong with an etcd of which nothing may be wrong.
func whole(view inventory.Etcd, members int) error {
	for _, m := range view.Members {
		if err := memberWell(m); err != nil {
			return err
		}
	}
	if members > 0 && len(view.Members) != members {
		return fmt.Errorf("etcd has %d members by now, not %d", len(view.Members), members)
	}
	return nil
}

// own says what is wrong with the member of this host, or with the leader.
func own(view inventory.Etcd) error {
	led, here := false, false
	for _, m := range view.Members {
		mine := view.Self != "" && m.ID == view.Self
		led, here = led || m.Leader, here || mine
		if !mine && !m.Leader {
			continue
		}
		if err := memberWell(m); err != nil {
			return err
		}
	}
	switch {
	case !here:
		return errors.New("etcd has no member of this host")
	case !led:
		return errors.New("no member of etcd is found to be its leader")
	}
	return nil
}

func memberWell(m inventory.EtcdMember) error {
	switch {
	case m.Trouble != "":
		return fmt.Errorf("member %s of etcd %s", m.Name, m.Trouble)
	case m.Learner:
		return fmt.Errorf("member %s of etcd is still learning", m.Name)
	}
	return nil
}
