// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
)

// revertLimit is how long it may take to take a surge back, after Ctrl-C too.
const revertLimit = 15 * time.Second

// decideSurge reads what it takes to decide what is done for Deployments whose budget
// never opens, and decides.
func decideSurge(
	ctx context.Context, client kubernetes.Interface, s drain.Snapshot, d drain.Decision, mode surge.Mode,
) ([]surge.Measure, error) {
	if mode == surge.Off || mode == "" {
		return nil, nil
	}
	facts, err := surge.Read(ctx, client, s, d)
	if err == nil && len(facts.Deployments) > 0 {
		facts.Others, err = surge.CountOthers(ctx, client, d)
	}
	if err != nil {
		return nil, err
	}
	return surge.Decide(d, facts, mode), nil
}

// Forecast says how a drain would go, with the surge that is asked for; where none is,
// or it does not help, it says which would. command is how the drain was typed. It only
// reads. A surge that is asked for and cannot be decided is an error, as it is of the
// drain.
func Forecast(ctx context.Context, client kubernetes.Interface, target drain.Target, d Drain, command string) (forecast.Forecast, error) {
	in, err := forecast.Read(ctx, client, target, d.Options)
	if err != nil {
		return forecast.Forecast{}, err
	}
	in.Surging = d.Surge != surge.Off && d.Surge != ""
	decision := drain.Decide(in.Snapshot, d.Options)
	facts, err := surge.Read(ctx, client, in.Snapshot, decision)
	switch {
	case err != nil && in.Surging:
		return forecast.Forecast{}, err
	case err != nil:
		in.Notes = append(in.Notes, "whether a surge helps is not known: "+err.Error())
	default:
		facts.Others = in.Elsewhere
		in.Surges = foreseen(decision, facts, d.Surge)
	}
	return forecast.Predict(in, d.Options, command), nil
}

// foreseen is what a surge does, or would do, as a forecast sees it. It is pure.
func foreseen(d drain.Decision, facts surge.Facts, mode surge.Mode) map[types.UID]forecast.Surge {
	out := map[types.UID]forecast.Surge{}
	if mode == "" {
		mode = surge.Off
	}
	for _, m := range surge.Decide(d, facts, mode) {
		out[m.UID] = seen(m)
	}
	for _, other := range []surge.Mode{surge.Auto, surge.Restart} {
		for _, m := range surge.Decide(d, facts, other) {
			s, decided := out[m.UID]
			if !decided {
				s = seen(m)
				s.Refused = cmp.Or(s.Refused, "none is asked for")
			}
			if s.Refused != "" && s.Offer == "" && m.Refused == "" {
				s.Offer, s.OfferMore = string(other), int(max(m.To-m.From, 0))
			}
			out[m.UID] = s
		}
	}
	return out
}

func seen(m surge.Measure) forecast.Surge {
	s := forecast.Surge{Deployment: m.Namespace + "/" + m.Name, UID: m.UID, Text: m.String(), Refused: m.Refused, Replicas: int(m.From),
		AtOnce: int(m.AtOnce), Fixed: m.Fixed}
	if m.Mode == surge.Auto {
		s.More = int(m.To - m.From)
	}
	return s
}

// surging is what is done for Deployments while nodes are drained: begun, and taken
// back.
type surging struct {
	client kubernetes.Interface
	// by is who surges, for those who find a Deployment changed.
	by string
	// began is when it began; zero before.
	began time.Time
	// measures are those that were begun.
	measures []surge.Measure

	// early are the measures being taken back while the drain goes on; stop ends the
	// look at the Deployments, which watching waits for.
	early    sync.WaitGroup
	watching sync.WaitGroup
	stop     context.CancelFunc
	mu       sync.Mutex
	// reverted are the measures that were taken back.
	reverted []types.UID
	said     []string
	errs     []error
}

// begin begins what was decided. A Deployment has its replicas again as soon as its
// last pod is told to stop: its controller has made no third one by then that serves,
// and the one that is Ready elsewhere stays. The events of that drain are listened to.
func (s *surging) begin(ctx context.Context, measures []surge.Measure, hear *evict.Listener) error {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	err := surge.Begin(ctx, s.client, measures, s.by)
	s.measures = append(s.measures, measures...)
	if err != nil {
		return err
	}
	s.watch(ctx, measures, hear)
	waiting := map[types.UID]int{} // the measure of a pod, by its place
	left := map[int]int{}
	for i, m := range measures {
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
			measure := measures[i]
			s.early.Go(func() { s.takeBack(ctx, measure) })
		}
	}
	return nil
}

// watch has the eviction give up the pods of a measure that something else undoes: their
// budget would not open any more.
func (s *surging) watch(ctx context.Context, measures []surge.Measure, hear *evict.Listener) {
	s.unwatch()
	ctx, s.stop = context.WithCancel(ctx)
	hopeless := make(chan evict.Hopeless, len(measures))
	hear.Hopeless = hopeless
	s.watching.Go(func() {
		surge.Watch(ctx, s.client, measures, func(u surge.Undone) {
			hopeless <- evict.Hopeless{Pods: u.Measure.Pods, Why: u.Why, WayOut: u.WayOut}
		})
	})
}

func (s *surging) unwatch() {
	if s.stop != nil {
		s.stop()
	}
	s.watching.Wait()
}

// takeBack takes one measure back, whatever has happened to the drain.
func (s *surging) takeBack(ctx context.Context, m surge.Measure) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertLimit)
	defer cancel()
	said, err := surge.Revert(ctx, s.client, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.errs = append(s.errs, err)
	} else {
		s.reverted = append(s.reverted, m.UID)
	}
	if said != "" {
		s.said = append(s.said, said)
	}
}

// end takes back what is left on these nodes, of this drain and of one that was
// killed before. It returns what was done, in sentences.
func (s *surging) end(ctx context.Context, nodes []string) (said []string, err error) {
	s.unwatch()
	s.early.Wait()
	find, cancel := context.WithTimeout(context.WithoutCancel(ctx), revertLimit)
	defer cancel()
	measures, err := surge.Find(find, s.client, nodes)
	if err != nil && len(s.measures) > 0 { // else this person never could have surged
		s.errs = append(s.errs, err)
	}
	left := slices.DeleteFunc(surge.Left(s.measures, measures), func(m surge.Measure) bool { return slices.Contains(s.reverted, m.UID) })
	known := map[types.UID]bool{} // without the note, and this run still knows
	for _, m := range left {
		known[m.UID] = true
		s.takeBack(ctx, m)
	}
	for _, m := range measures {
		if !known[m.UID] {
			s.takeBack(ctx, m)
		}
	}
	said, err = s.said, errors.Join(s.errs...)
	s.said, s.errs = nil, nil
	return said, err
}
