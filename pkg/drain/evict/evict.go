// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

const (
	// reconsider is when an accepted eviction that shows no effect is sent
	// again.
	reconsider = 30 * time.Second
	// errorLimit is how long a pod may meet nothing but server errors.
	errorLimit = 5 * time.Minute
)

// phase is how far a pod has come.
type phase int

const (
	waiting  phase = iota // to be asked
	asked                 // a request is under way
	stopping              // told to stop by this drain or by another client
	left                  // gone
	unwaited              // overdue, and not to be waited for
	givenUp               // asking again would change nothing
)

// item is one pod that has to leave.
type item struct {
	drain.Verdict
	phase phase
	// said is the last answer, or what a closed gate amounts to.
	said answer
	// budgets are those that keep it, when said is about budgets.
	budgets []pdb.Budget
	// ours is true once the server has accepted our request.
	ours     bool
	tries    int       // answers in a row that were no consent
	retryAt  time.Time // not before
	since    time.Time // of the first server error in a row; of the consent
	budget   *policyv1.PodDisruptionBudget
	finishAt time.Time
	turnAt   time.Time // when its turn first came
	goneAt   time.Time
	heldFor  time.Duration // how long its budget had kept pods when it was asked for
	expired  bool          // given up for Options.PodTimeout
	match    pdb.Match
}

// over reports whether nothing more is to be expected of the pod.
func (it *item) over() bool { return it.phase == left || it.phase == unwaited || it.phase == givenUp }

// run is one Evict under way. Everything but the mirrors and the requests
// happens in one goroutine.
type run struct {
	opts      drain.Options
	decision  drain.Decision
	items     []*item
	turns     *turns
	asker     asker
	pods      map[string]*kube.Mirror[*corev1.Pod] // by part of the scope
	nodes     *kube.Mirror[*corev1.Node]
	budgets   *kube.Mirror[*policyv1.PodDisruptionBudget]
	workloads *workloads
	matching  *pdb.Matching
	ledger    ledger
	tell      reporter
	// held is the time that budgets took, and pass the number of the look that
	// it was last added to.
	held map[string]holding
	pass int
	// hopeless are the pods of Listener.Hopeless.
	hopeless map[types.UID]Hopeless

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
// turn has come and its budgets allow it, waits until the pods are gone, and
// returns what happened. A decision that blocks is refused. One account is kept
// for each budget over all nodes.
//
// The error is of class plan.TimedOut after Options.Timeout, or if a pod was
// given up after Options.PodTimeout, naming what holds the pods and what would
// let them go; of class plan.Interrupted if ctx was cancelled; else of class
// plan.Broken if some pods cannot be evicted at all, or a node was
// uncordoned. The Outcome is valid in every case, and calling Evict
// again with a new decision goes on where this one stopped.
func Evict(ctx context.Context, client kubernetes.Interface, d drain.Decision, o drain.Options, hear Listener) (Outcome, error) {
	if err := o.Validate(); err != nil {
		return Outcome{}, err
	}
	if err := d.Refusal(); err != nil {
		return Outcome{}, err
	}
	r := newRun(client, d, o, hear)
	if len(r.items) == 0 {
		return r.outcome(), nil
	}
	ctx, cancel := drain.Within(ctx, o.Timeout)
	r.follow(ctx, client)
	err := r.loop(ctx)
	cancel()
	r.flight.Wait()
	r.gather()
	r.charge(time.Now())
	r.observe(time.Now())
	r.locate(ctx, client)
	out := r.outcome()
	return out, r.verdict(err, out)
}

func newRun(client kubernetes.Interface, d drain.Decision, o drain.Options, hear Listener) *run {
	now := time.Now()
	r := &run{
		opts: o, decision: d, ledger: ledger{}, held: map[string]holding{}, hopeless: map[types.UID]Hopeless{},
		asker:   asker{client: client, opts: o},
		changed: make(chan struct{}, 1),
		fatal:   make(chan error, 8+len(d.Nodes)),
		tell:    reporter{Listener: hear, began: now},
		pods:    map[string]*kube.Mirror[*corev1.Pod]{},
	}
	r.nodes, r.budgets = kube.NewMirror[*corev1.Node](r.wake), kube.NewMirror[*policyv1.PodDisruptionBudget](r.wake)
	r.workloads = newWorkloads(o.WaitForReplacement, r.wake)
	for _, part := range d.Scope.Parts() {
		r.pods[part] = kube.NewMirror[*corev1.Pod](r.wake)
	}
	for _, v := range d.ToEvict() {
		it := &item{Verdict: v, said: answer{kind: later, cause: drain.CauseNotAsked}}
		if v.Action == drain.ActionWait {
			it.phase, it.said, it.turnAt = stopping, read(nil, drain.Right{}), now
		}
		r.items = append(r.items, it)
	}
	r.turns = newTurns(d.Nodes, r.items, o)
	r.answers = make(chan answered, len(r.items))
	return r
}

// wake has the loop look again.
func (r *run) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// follow starts the watches; without evictions the budgets do not matter.
func (r *run) follow(ctx context.Context, client kubernetes.Interface) {
	d := r.decision
	for part, mirror := range r.pods {
		begin(ctx, r, d.Scope.Pods(client, part), mirror)
	}
	r.flight.Go(func() {
		if err := d.Scope.Nodes(client).Follow(ctx, r.nodes); err != nil {
			// Who may drain may not always watch nodes; then it goes unseen that
			// one is uncordoned.
			r.nodes.Replace(cordonedNodes(d))
		}
	})
	r.workloads.follow(ctx, r, client)
	if r.opts.DisableEviction {
		r.budgets.Replace(nil)
		return
	}
	begin(ctx, r, drain.BudgetsOf(client, r.opts.ChunkSize), r.budgets)
}

// begin follows one source until the run ends.
func begin[T metav1.Object](ctx context.Context, r *run, from kube.Source[T], into *kube.Mirror[T]) {
	r.flight.Go(func() {
		if err := from.Follow(ctx, into); err != nil {
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

// ready reports whether all mirrors have had their first list.
func (r *run) ready() bool {
	for _, mirror := range r.pods {
		if synced, _ := mirror.State(); !synced {
			return false
		}
	}
	budgets, _ := r.budgets.State()
	nodes, _ := r.nodes.State()
	return budgets && nodes && r.workloads.ready()
}

// pod is the pod of an item as the server last told it.
func (r *run) pod(it *item) (*corev1.Pod, bool) {
	return r.pods[r.decision.Scope.Part(it.Node)].Get(it.UID)
}

// finished reports whether waiting longer is pointless: every pod is gone or
// given up and replaced, or what is left can never be evicted while several
// budgets match, and the rest waits for its turn behind that.
func (r *run) finished() bool {
	for _, it := range r.items {
		switch {
		case it.over():
		case it.phase != waiting, it.said.cause != drain.CauseSeveralBudgets && it.said.cause != drain.CauseTurn:
			return false
		}
	}
	return r.workloads.whole() && !r.expectsBack(time.Now())
}

// leave notes that a pod is gone.
func (r *run) leave(it *item, now time.Time) {
	it.phase, it.goneAt = left, now
	r.turns.gone(it.Node, now)
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
	case one := <-r.tell.Hopeless:
		for _, pod := range one.Pods {
			r.hopeless[pod.UID] = one
		}
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
