// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// takingBack is how long it may take to take a surge back, after Ctrl-C too.
const takingBack = 15 * time.Second

// surging is what a drain does for Deployments whose budget never opens.
type surging struct {
	measures []drain.Measure
	// begun is true once there may be something to take back, since began.
	begun bool
	began time.Time
	// early are the measures being taken back while the drain goes on.
	early sync.WaitGroup
	mu    sync.Mutex
	said  []string
	errs  []error
}

// planSurge decides about a surge and shows it, before anything is changed.
func (r *draining) planSurge(ctx context.Context, s drain.Snapshot) error {
	mode := drain.SurgeMode(r.flags.surge)
	if mode == drain.SurgeOff {
		return nil
	}
	facts, err := drain.ReadSurge(ctx, r.client, s, r.decision)
	if err != nil {
		return err
	}
	r.surge.measures = drain.DecideSurge(r.decision, facts, mode)
	for _, m := range r.surge.measures {
		if m.Refused != "" {
			r.warn("%s", m)
			continue
		}
		r.say("%s", m)
	}
	return nil
}

// beginSurge begins what was decided. A Deployment has its replicas again as soon
// as its last pod is told to stop: its controller has made no third one by then
// that serves, and the one that is Ready elsewhere stays.
func (r *draining) beginSurge(ctx context.Context, hear *drain.Listener) error {
	r.surge.begun, r.surge.began = true, time.Now()
	if err := drain.Surge(ctx, r.client, r.surge.measures, who()); err != nil {
		return err
	}
	r.result.Surged = r.surge.measures
	waiting := map[types.UID]int{} // the measure of a pod, by its place
	left := map[int]int{}
	for i, m := range r.surge.measures {
		if m.Refused != "" || m.Mode != drain.SurgeAuto {
			continue
		}
		left[i] = len(m.Pods)
		for _, pod := range m.Pods {
			waiting[pod.UID] = i
		}
	}
	next := hear.Event
	hear.Event = func(event drain.Event) {
		if next != nil {
			next(event)
		}
		if event.Pod == nil || event.Kind != drain.EventTold && event.Kind != drain.EventLeft {
			return
		}
		i, one := waiting[event.Pod.UID]
		if !one {
			return
		}
		delete(waiting, event.Pod.UID)
		if left[i]--; left[i] == 0 {
			measure := r.surge.measures[i]
			r.surge.early.Go(func() { r.takeBack(ctx, measure) })
		}
	}
	return nil
}

// takeBack takes one measure back, whatever has happened to the drain.
func (r *draining) takeBack(ctx context.Context, m drain.Measure) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takingBack)
	defer cancel()
	said, err := drain.Unsurge(ctx, r.client, m)
	r.surge.mu.Lock()
	defer r.surge.mu.Unlock()
	if err != nil {
		r.surge.errs = append(r.surge.errs, err)
	}
	if said != "" {
		r.surge.said = append(r.surge.said, said)
	}
}

// endSurge takes back what is left, of this drain and of one that was killed
// before.
func (r *draining) endSurge(ctx context.Context) error {
	r.surge.early.Wait()
	if r.surge.begun {
		find, cancel := context.WithTimeout(context.WithoutCancel(ctx), takingBack)
		defer cancel()
		measures, err := drain.FindSurged(find, r.client, r.decision.Names())
		if err != nil && len(r.surge.measures) > 0 { // else this person never could have surged
			r.surge.errs = append(r.surge.errs, err)
		}
		for _, m := range measures {
			r.takeBack(ctx, m)
		}
	}
	for _, said := range r.surge.said {
		r.say("%s", said)
	}
	return errors.Join(r.surge.errs...)
}

// abortDrain takes a drain back.
func (e *env) abortDrain(ctx context.Context, client kubernetes.Interface, target drain.Target, mode dryRun) error {
	if mode != dryRunNone {
		return plan.As(plan.Misused, errors.New("--abort has no dry run: it only takes back what a drain has noted down"))
	}
	said, err := drain.Abort(ctx, client, target)
	for _, line := range said {
		if err := e.sheet().line("%s", line); err != nil {
			return err
		}
	}
	if len(said) == 0 {
		return nothingChanged(err)
	}
	return err
}
