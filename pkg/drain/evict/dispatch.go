// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// dispatch sends what may be sent now, in the order of the decision.
func (r *run) dispatch(ctx context.Context, now time.Time) {
	r.turns.advance(now)
	r.charge(now)
	r.pass++
	for _, it := range r.items {
		if r.inFlight >= maxInFlight {
			return
		}
		if it.phase != waiting {
			continue
		}
		pod, exists := r.pod(it)
		if !exists || r.outOfTurn(it, now) {
			continue
		}
		budget, open := r.gate(it, pod, now)
		r.clock(it, open, now)
		if !open || now.Before(it.retryAt) || budget != nil && r.ledger.of(budget, now).busy() {
			continue
		}
		r.workloads.take(it, kube.PodReady(pod))
		r.send(ctx, it, budget)
	}
}

// charge adds the time since the last look for budgets that held pods then: they did so
// until now, whether they still do or not.
func (r *run) charge(now time.Time) {
	for name, held := range r.held {
		if held.pass == r.pass {
			held.total += now.Sub(held.last)
			held.last = now
			r.held[name] = held
		}
	}
}

// clock keeps the time for which each budget held pods whose turn had come.
func (r *run) clock(it *item, open bool, now time.Time) {
	if open || len(it.budgets) == 0 {
		return
	}
	name := it.budgets[0].String()
	held := r.held[name]
	held.last, held.pass = now, r.pass
	r.held[name] = held
}

// holding is the time for which one budget has held pods.
type holding struct {
	total time.Duration
	last  time.Time
	pass  int
}

// outOfTurn reports, and notes, that others come before the item, or that its
// controller is to be whole first.
func (r *run) outOfTurn(it *item, now time.Time) bool {
	if why := r.turns.wait(it); why != "" {
		it.said, it.budgets = answer{kind: later, cause: drain.CauseTurn, text: why}, nil
		return true
	}
	if it.said.cause == drain.CauseTurn || it.said.cause == drain.CauseReplacement {
		it.said = answer{kind: later, cause: drain.CauseNotAsked}
	}
	if it.turnAt.IsZero() {
		it.turnAt = now
	}
	if len(it.Owners) == 0 {
		return false
	}
	if lacks := r.workloads.lacks(it.Owners[0].UID); lacks != "" {
		text := fmt.Sprintf("%s has %s", it.Owners, lacks)
		it.said, it.budgets = answer{kind: later, cause: drain.CauseReplacement, text: text}, nil
		return true
	}
	return false
}

// gate reports whether the pod may be asked for now, and which budget is
// charged for it. A closed gate is noted as the reason for waiting.
func (r *run) gate(it *item, pod *corev1.Pod, now time.Time) (charged *policyv1.PodDisruptionBudget, open bool) {
	if it.Action == drain.ActionDelete {
		return nil, true
	}
	pdbs := r.matching.Of(pod, &it.match)
	switch pdb.GateOf(pod, pdbs) {
	case pdb.Free:
		if len(it.budgets) > 0 {
			it.said, it.budgets = answer{kind: later, cause: drain.CauseNotAsked}, nil
		}
		return nil, true
	case pdb.Several:
		r.hold(it, drain.CauseSeveralBudgets, pdbs)
		return nil, false
	case pdb.Spend:
		account := r.ledger.of(pdbs[0], now)
		if account.room(pdbs[0]) > 0 || account.due(now) {
			return pdbs[0], true
		}
	case pdb.Closed:
		if r.ledger.of(pdbs[0], now).due(now) {
			return pdbs[0], true
		}
	}
	r.hold(it, drain.CauseBudget, pdbs)
	return nil, false
}

// hold notes that budgets keep a pod.
func (r *run) hold(it *item, cause drain.Cause, pdbs []*policyv1.PodDisruptionBudget) {
	it.said = answer{kind: later, cause: cause}
	it.budgets = it.budgets[:0]
	for _, budget := range pdbs {
		it.budgets = append(it.budgets, pdb.Describe(budget))
	}
}

// send asks for one pod in a goroutine of its own.
func (r *run) send(ctx context.Context, it *item, budget *policyv1.PodDisruptionBudget) {
	it.phase, it.budget = asked, budget
	if budget != nil {
		r.ledger.of(budget, time.Now()).charges[it.Name] = false
		it.heldFor = r.held[pdb.Describe(budget).String()].total
	}
	r.inFlight++
	r.out.Requests++
	r.tell.event(time.Now(), EventAsked, it, "")
	r.flight.Go(func() {
		said := read(r.asker.ask(ctx, it.Verdict), rightFor(it.Action))
		if ctx.Err() != nil && said.cause == drain.CauseServer {
			said = answer{kind: later, cause: drain.CauseNotAsked, text: "no answer came"}
		}
		r.answers <- answered{item: it, said: said}
	})
}

// settle takes in what the server said about one pod.
func (r *run) settle(one answered) {
	it, said, now := one.item, one.said, time.Now()
	r.inFlight--
	if it.budget != nil {
		r.ledger.of(it.budget, now).settle(it.Name, it.budget.ResourceVersion, said, now)
	}
	r.nameBudgets(it, said)
	if said.kind != accepted {
		r.workloads.giveBack(it)
	}
	if said.cause != it.said.cause || !runsOut(said.cause) {
		it.since = now
	}
	it.said = said
	if said.kind == accepted {
		r.tell.event(now, EventTold, it, "")
	} else {
		r.tell.event(now, EventAnswered, it, said.sentence())
	}
	switch said.kind {
	case accepted:
		it.phase, it.ours, it.tries = stopping, true, 0
	case gone:
		r.leave(it, now)
	case never:
		it.phase = givenUp
	case later:
		it.phase = waiting
		it.tries++
		it.retryAt = now.Add(r.pauseAfter(it, said))
		if said.cause == drain.CauseBudget || said.cause == drain.CauseSeveralBudgets {
			r.out.Refusals++
		}
		if hopeless(it, now) {
			it.phase = givenUp
		}
	}
}

// hopeless reports whether the server has said the same for too long: that it
// has trouble, or that several budgets match which cannot be seen from here.
func hopeless(it *item, now time.Time) bool {
	switch it.said.cause {
	case drain.CauseSeveralBudgets:
		return len(it.budgets) < 2 && it.tries >= 3
	default:
		return runsOut(it.said.cause) && now.Sub(it.since) >= errorLimit
	}
}

// runsOut reports whether the same answer is borne for a while only: the server
// has trouble, or a plugin of it denies. Policies and webhooks are asked until the
// timeout, since a freeze ends and pods of a webhook come back.
func runsOut(cause drain.Cause) bool {
	return cause == drain.CauseServer || cause == drain.CauseReadOnly || cause == drain.CauseAdmission
}

// nameBudgets fills in the budgets that an answer is about, as far as they are
// known here.
func (r *run) nameBudgets(it *item, said answer) {
	if said.cause != drain.CauseBudget && said.cause != drain.CauseSeveralBudgets {
		it.budgets = nil
		return
	}
	if pod, exists := r.pod(it); exists {
		r.hold(it, said.cause, r.matching.Of(pod, &it.match))
	}
}

// pauseAfter is how long to leave a pod alone after an answer. A budget that
// refuses is asked again when its status changes, so the pause only keeps a
// contended one from being hammered.
func (r *run) pauseAfter(it *item, said answer) time.Duration {
	switch said.cause {
	case drain.CauseBudget:
		if it.budget == nil {
			return max(said.after, kube.Backoff(it.tries, time.Second, 15*time.Second))
		}
		return kube.Backoff(it.tries-1, 250*time.Millisecond, 5*time.Second)
	case drain.CauseNamespace, drain.CauseWebhook, drain.CauseWebhookDown, drain.CausePolicy, drain.CauseQuota, drain.CauseAdmission,
		drain.CauseReadOnly, drain.CauseSeveralBudgets:
		return max(said.after, kube.Backoff(it.tries, 2*time.Second, 30*time.Second))
	case drain.CauseBusy, drain.CauseServer, drain.CauseNotAsked, drain.CauseStopping, drain.CauseForbidden, drain.CauseRejected,
		drain.CauseTurn, drain.CauseReplacement, drain.CauseUncordoned, drain.CauseSurgeUndone:
	}
	return max(said.after, kube.Backoff(it.tries, 500*time.Millisecond, 15*time.Second))
}

// next is the moment at which time alone changes something.
func (r *run) next(now time.Time) time.Time {
	next := r.tell.nextBeat(now)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	for _, it := range r.items {
		if limit := r.opts.PodTimeout; limit > 0 && !it.over() && !it.turnAt.IsZero() {
			sooner(it.turnAt.Add(limit))
		}
		switch it.phase {
		case waiting:
			sooner(it.retryAt)
		case stopping:
			sooner(it.since.Add(reconsider))
			if limit := r.opts.SkipWaitForDeleteTimeoutSeconds; limit > 0 && !it.finishAt.IsZero() {
				sooner(it.finishAt.Add(time.Duration(limit+1) * time.Second))
			}
		case asked, left, unwaited, givenUp:
		}
	}
	for _, account := range r.ledger {
		sooner(account.probe)
	}
	sooner(r.turns.last().Add(returnTime))
	sooner(r.tell.nextDraw())
	return next
}
