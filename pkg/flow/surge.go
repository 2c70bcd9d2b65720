// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
)

// takingBack is how long it may take to take a surge back, after Ctrl-C too.
const takingBack = 15 * time.Second

// Surging is what is done, while nodes are drained, for Deployments whose budget
// never opens: decided, shown, begun, taken back. Drain and remove share it.
type Surging struct {
	Client kubernetes.Interface
	// By is who surges, for whoever finds a Deployment changed.
	By string
	// Measures are what was decided.
	Measures []surge.Measure
	// Began is when it began; zero before.
	Began time.Time

	// early are the measures being taken back while the drain goes on.
	early sync.WaitGroup
	mu    sync.Mutex
	said  []string
	errs  []error
}

// Decide reads what it takes to decide, and decides.
func (s *Surging) Decide(ctx context.Context, snapshot drain.Snapshot, d drain.Decision, mode surge.Mode) error {
	if mode == surge.Off || mode == "" {
		return nil
	}
	facts, err := surge.Read(ctx, s.Client, snapshot, d)
	if err == nil {
		s.Measures = surge.Decide(d, facts, mode)
	}
	return err
}

// Begin begins what was decided. A Deployment has its replicas again as soon as its
// last pod is told to stop: its controller has made no third one by then that serves,
// and the one that is Ready elsewhere stays. The events of that drain are listened to.
func (s *Surging) Begin(ctx context.Context, hear *evict.Listener) error {
	s.Began = time.Now()
	if err := surge.Begin(ctx, s.Client, s.Measures, s.By); err != nil {
		return err
	}
	waiting := map[types.UID]int{} // the measure of a pod, by its place
	left := map[int]int{}
	for i, m := range s.Measures {
		if m.Refused != "" || m.Mode != surge.Auto {
			continue
		}
		left[i] = len(m.Pods)
		for _, pod := range m.Pods {
			waiting[pod.UID] = i
		}
	}
	next := hear.Event
	hear.Event = func(event evict.Event) {
		if next != nil {
			next(event)
		}
		if event.Pod == nil || event.Kind != evict.EventTold && event.Kind != evict.EventLeft {
			return
		}
		i, one := waiting[event.Pod.UID]
		if !one {
			return
		}
		delete(waiting, event.Pod.UID)
		if left[i]--; left[i] == 0 {
			measure := s.Measures[i]
			s.early.Go(func() { s.takeBack(ctx, measure) })
		}
	}
	return nil
}

// takeBack takes one measure back, whatever has happened to the drain.
func (s *Surging) takeBack(ctx context.Context, m surge.Measure) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takingBack)
	defer cancel()
	said, err := surge.Revert(ctx, s.Client, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errs = append(s.errs, err)
	}
	if said != "" {
		s.said = append(s.said, said)
	}
}

// End takes back what is left on these nodes, of this drain and of one that was
// killed before. It returns what was done, in sentences.
func (s *Surging) End(ctx context.Context, nodes []string) (said []string, err error) {
	s.early.Wait()
	find, cancel := context.WithTimeout(context.WithoutCancel(ctx), takingBack)
	defer cancel()
	measures, err := surge.Find(find, s.Client, nodes)
	if err != nil && len(s.Measures) > 0 { // else this person never could have surged
		s.errs = append(s.errs, err)
	}
	for _, m := range measures {
		s.takeBack(ctx, m)
	}
	said, err = s.said, errors.Join(s.errs...)
	s.said, s.errs = nil, nil
	return said, err
}
