// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const (
	// reconsider is when an accepted eviction that shows no effect is sent
	// again.
	reconsider = 30 * time.Second
	// forbearance is how long a pod may meet nothing but server errors.
	forbearance = 5 * time.Minute
)

// errTimeout is the cause that ends a run at Options.Timeout.
var errTimeout = errors.New("drain timeout")

// phase is how far a pod has come.
type phase int

const (
	waiting  phase = iota // to be asked
	asked                 // a request is under way
	stopping              // told to stop by us or by somebody else
	left                  // gone
	unwaited              // overdue, and not to be waited for
	givenUp               // asking again would change nothing
)

// item is one pod that has to leave.
type item struct {
	Verdict
	phase phase
	// said is the last answer, or what a closed gate amounts to.
	said answer
	// budgets are those that keep it, when said is about budgets.
	budgets []Budget
	// ours is true once the server has accepted our request.
	ours     bool
	tries    int       // answers in a row that were no consent
	retryAt  time.Time // not before
	since    time.Time // of the first server error in a row; of the consent
	budget   *policyv1.PodDisruptionBudget
	finishAt time.Time
}

// run is one Evict under way. Everything but the mirrors and the requests
// happens in one goroutine.
type run struct {
	opts    Options
	node    string
	items   []*item
	asker   asker
	pods    *mirror[*corev1.Pod]
	budgets *mirror[*policyv1.PodDisruptionBudget]
	guards  guards
	ledger  ledger
	tell    teller

	flight   sync.WaitGroup
	inFlight int
	answers  chan answered
	changed  chan struct{}
	fatal    chan error
	out      Outcome
}

type answered struct {
	item *item
	said answer
}

// Evict makes the pods of a decision leave: it asks for each as soon as its
// budgets allow it, waits until the pods are gone, and returns what happened.
// A decision that blocks is refused. Report may be nil.
//
// The error is of class plan.TimedOut after Options.Timeout, naming what holds
// the pods and what would let them go; of class plan.Interrupted if ctx was
// cancelled; else of class plan.Broken if some pods cannot be evicted at all.
// The Outcome is valid in every case, and calling Evict again with a new
// decision goes on where this one stopped.
func Evict(ctx context.Context, client kubernetes.Interface, d Decision, o Options, report plan.Report) (Outcome, error) {
	if err := o.Validate(); err != nil {
		return Outcome{Node: d.Node}, err
	}
	if err := d.Refusal(); err != nil {
		return Outcome{Node: d.Node}, err
	}
	r := newRun(client, d, o, report)
	if len(r.items) == 0 {
		return r.outcome(d), nil
	}
	ctx, cancel := within(ctx, o.Timeout)
	r.follow(ctx, client, d)
	err := r.loop(ctx)
	cancel()
	r.flight.Wait()
	r.gather()
	r.observe(time.Now())
	out := r.outcome(d)
	return out, r.verdict(err, out)
}

// within limits ctx to a drain's timeout, if there is one.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeoutCause(ctx, timeout, errTimeout)
	}
	return context.WithCancel(ctx)
}

func newRun(client kubernetes.Interface, d Decision, o Options, report plan.Report) *run {
	r := &run{
		opts: o, node: d.Node, ledger: ledger{},
		asker:   asker{client: client, opts: o},
		changed: make(chan struct{}, 1),
		fatal:   make(chan error, 2),
		tell:    teller{report: report, began: time.Now()},
	}
	wake := func() {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
	r.pods, r.budgets = newMirror[*corev1.Pod](wake), newMirror[*policyv1.PodDisruptionBudget](wake)
	for _, v := range d.ToEvict() {
		it := &item{Verdict: v, said: answer{kind: later, cause: CauseNotAsked}}
		if v.Action == ActionWait {
			it.phase, it.said = stopping, read(nil)
		}
		r.items = append(r.items, it)
	}
	r.answers = make(chan answered, len(r.items))
	return r
}

// follow starts the two watches; without evictions the budgets do not matter.
func (r *run) follow(ctx context.Context, client kubernetes.Interface, d Decision) {
	r.flight.Go(func() {
		if err := podsOf(client, d.Node, d.ResourceVersion).follow(ctx, r.pods); err != nil {
			r.fatal <- err
		}
	})
	if r.opts.DisableEviction {
		r.budgets.replace(nil)
		return
	}
	r.flight.Go(func() {
		if err := budgetsOf(client, r.opts.ChunkSize).follow(ctx, r.budgets); err != nil {
			r.fatal <- err
		}
	})
}

// loop goes on until no pod can be moved any further. It looks at the whole
// state each time something happened, so no event can be missed.
func (r *run) loop(ctx context.Context) error {
	for {
		now := time.Now()
		if r.ready() {
			r.observe(now)
			r.dispatch(ctx, now)
			if r.finished() {
				return nil
			}
		}
		r.tell.waiting(r, now)
		if err := r.wait(ctx, r.next(now)); err != nil {
			return err
		}
	}
}

// ready reports whether both mirrors have had their first list.
func (r *run) ready() bool {
	pods, _ := r.pods.state()
	budgets, _ := r.budgets.state()
	return pods && budgets
}

// finished reports whether waiting longer is pointless: every pod is gone or
// given up, or what is left can never be evicted while several budgets match.
func (r *run) finished() bool {
	for _, it := range r.items {
		switch it.phase {
		case left, unwaited, givenUp:
		case waiting:
			if it.said.cause != CauseSeveralBudgets {
				return false
			}
		case asked, stopping:
			return false
		}
	}
	return true
}

// observe brings the items up to date with the mirrors.
func (r *run) observe(now time.Time) {
	if !r.ready() {
		return
	}
	if news := r.budgets.news(); len(news) > 0 || r.guards == nil {
		for _, pdb := range news {
			r.ledger.heard(pdb, now)
		}
		r.guards = newGuards(r.budgets.all())
	}
	r.pods.news()
	for _, it := range r.items {
		if it.phase == left || it.phase == unwaited || it.phase == givenUp {
			continue
		}
		pod, exists := r.pods.get(it.UID)
		if !exists {
			r.leave(it, now)
			continue
		}
		r.age(it, pod, now)
	}
}

// age follows a pod that is still there.
func (r *run) age(it *item, pod *corev1.Pod, now time.Time) {
	if it.phase == waiting && pod.DeletionTimestamp != nil && !hastens(pod, r.opts) {
		it.phase, it.said = stopping, read(nil)
	}
	if it.phase != stopping {
		return
	}
	switch {
	case overdue(pod, r.opts, now):
		it.phase = unwaited
	case pod.DeletionTimestamp != nil:
		it.finishAt = pod.DeletionTimestamp.Time
		it.said.text = lingering(pod, now)
	case it.Action != ActionWait && now.Sub(it.since) >= reconsider:
		it.phase = waiting
	}
}

// leave notes that a pod is gone.
func (r *run) leave(it *item, now time.Time) {
	it.phase = left
	r.tell.left(r, it, now)
}

// wait sleeps until something happens or the next moment comes.
func (r *run) wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-r.fatal:
		return err
	case one := <-r.answers:
		r.settle(one)
		r.gather()
	case <-r.changed:
		r.gather()
	case <-timer.C:
	}
	return nil
}

// gather takes the answers that have come by now.
func (r *run) gather() {
	for {
		select {
		case one := <-r.answers:
			r.settle(one)
		default:
			return
		}
	}
}
