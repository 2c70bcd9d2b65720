// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// ErrGone says that a record was deleted while it was followed.
var ErrGone = errors.New("the run record was deleted")

// Follow tells the observer each event of a run once, until the program has
// finished, has taken the way back, or waits for an order that has not
// been given yet. It changes nothing, so any number may follow one run.
func Follow(ctx context.Context, c Cluster, rec Record, observer plan.Observer) (wire.State, error) {
	return c.await(ctx, rec, observer, func(s wire.State) bool {
		switch s.Phase {
		case wire.Finished, wire.Aborted:
			return true
		case wire.Waiting:
			return s.Order == ""
		case wire.Preparing, wire.Ready, wire.Working, wire.Leaving:
		}
		return false
	})
}

// AwaitAck waits until the program has taken the order that is in the record, or has
// come to its end.
func AwaitAck(ctx context.Context, c Cluster, rec Record) error {
	_, err := c.await(ctx, rec, nil, func(s wire.State) bool {
		return s.Order == "" || s.Phase == wire.Finished || s.Phase == wire.Aborted
	})
	return err
}

// await watches the record until a condition holds.
func (c Cluster) await(ctx context.Context, rec Record, observer plan.Observer, until func(wire.State) bool) (wire.State, error) {
	var state wire.State
	seen := 0
	look := func(obj any) (bool, error) {
		secret, ok := obj.(*corev1.Secret)
		if !ok || secret.UID != rec.UID {
			return false, nil
		}
		parsed, err := wire.Parse(secret.Data)
		if err != nil {
			return false, err
		}
		state = parsed
		for _, e := range state.Events {
			if e.Seq <= seen || observer == nil {
				continue
			}
			seen = e.Seq
			e.Host = rec.State.Node
			observer.Observe(e.Event)
		}
		return until(state), nil
	}
	gone := fmt.Errorf("%w: secret %s/%s", ErrGone, rec.Namespace, rec.Name)
	list := kube.Only(c.Client, c.Client.CoreV1().Secrets(rec.Namespace), rec.Name)
	_, err := watchtools.UntilWithSync(ctx, list, &corev1.Secret{}, func(store cache.Store) (bool, error) {
		items := store.List()
		if len(items) == 0 {
			return false, gone
		}
		return look(items[0])
	}, func(e watch.Event) (bool, error) {
		if e.Type == watch.Deleted {
			return false, gone
		}
		return look(e.Object)
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return state, err
}
