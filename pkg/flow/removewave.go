// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

// wave removes some workers side by side.
func (m *Many) wave(ctx context.Context, wave []*Removal, cordoned map[string]bool, out map[string]*RemoveOutcome) {
	began := time.Now()
	each := func(removals []*Removal, do func(r *Removal) error) (well []*Removal) {
		var mu sync.Mutex
		var group sync.WaitGroup
		for _, r := range removals {
			group.Go(func() {
				err := context.Cause(ctx)
				if err == nil {
					err = do(r)
				}
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					out[r.Node.Name].end(r, began, err)
					return
				}
				well = append(well, r)
			})
		}
		group.Wait()
		return well
	}
	ready := slices.DeleteFunc(slices.Clone(wave), func(r *Removal) bool { return out[r.Node.Name].Error != "" })
	ready = each(ready, func(r *Removal) error { return m.canary(ctx, r, cordoned[r.Node.Name]) })
	slices.SortFunc(ready, func(a, b *Removal) int { return strings.Compare(a.Node.Name, b.Node.Name) })
	drained := m.drain(ctx, ready, began, out)
	each(drained, func(r *Removal) error {
		r.Watch = m.Watch
		p := r.Plan()
		p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { return slices.Contains([]string{"canary", "cordon", "drain"}, s.ID) })
		_, err := p.Run(ctx, m.Watch)
		if err == nil {
			out[r.Node.Name].end(r, began, nil)
		}
		return err
	})
}

// canary starts the program on one host.
func (m *Many) canary(ctx context.Context, r *Removal, cordoned bool) error {
	p := r.Plan()
	p.Steps = slices.DeleteFunc(p.Steps, func(s plan.Step) bool { return s.ID != "canary" })
	if _, err := p.Run(ctx, m.Watch); err != nil || !cordoned {
		return err
	}
	return runner.NoteCordoned(ctx, m.cluster.Client, r.record)
}

// drain evicts the pods of a wave, all of them in one account of the budgets,
// and returns the nodes that have none left.
func (m *Many) drain(ctx context.Context, wave []*Removal, began time.Time, out map[string]*RemoveOutcome) (drained []*Removal) {
	var names []string
	for _, r := range wave {
		if r.hostUnderWay() {
			drained = append(drained, r)
			continue
		}
		names = append(names, r.Node.Name)
	}
	if len(names) == 0 {
		return drained
	}
	together := &Removal{Node: wave[0].Node, cluster: m.cluster, opts: m.opts, others: wave}
	_, err := plan.Plan{Title: "Drain " + strings.Join(names, ", "), Steps: []plan.Step{{
		ID: "drain", Title: fmt.Sprintf("Drain %s", strings.Join(names, ", ")), Do: func(ctx context.Context, report plan.Report) error {
			return together.drainAll(ctx, names, report)
		},
	}}}.Run(ctx, m.Watch)
	m.Returned = append(m.Returned, together.Returned...)
	var excluded []corev1.Pod // of all nodes: their volumes are waited for together
	for _, r := range wave {
		excluded = append(excluded, r.excluded...)
	}
	for _, r := range wave {
		switch {
		case r.hostUnderWay():
		case err == nil || together.emptied[r.Node.Name]:
			r.drained, r.excluded = together.drained, excluded
			drained = append(drained, r)
		default:
			out[r.Node.Name].end(r, began, errors.Join(err, r.leaveBe(ctx)))
		}
	}
	return drained
}

// leaveBe takes the program off a host whose node could not be drained.
func (r *Removal) leaveBe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUpLimit)
	defer cancel()
	if err := r.giveUp(ctx); !errors.Is(err, plan.ErrKept) {
		return err
	}
	return nil
}

// giveUpLimit bounds the farewell of a program that has changed nothing.
const giveUpLimit = 15 * time.Second
