// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/detach"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Drain is the one recipe of a drain: cordon, evict, and wait for volumes; with what
// a surge does for Deployments while it lasts, and the nodes' conditions. It is
// filled by those who drain: the verb, a removal, a wave of removals, a move, the
// loss of a host.
type Drain struct {
	Client kubernetes.Interface
	// Nodes are drained together, under one account of the budgets.
	Nodes   []string
	Options drain.Options
	// Surge says what is done for Deployments whose budget never opens; empty means
	// nothing.
	Surge surge.Mode
	// By and Reason are left on a Node that is cordoned.
	By, Reason string
	// Staying are pods beside those of the decision that stay: what they use is not
	// waited for.
	Staying []corev1.Pod
	// Cordoned is called for each node that was not cordoned before; nil for nothing.
	Cordoned func(ctx context.Context, node string) error
	// Evicted is told the outcome of all rounds; nil for nothing.
	Evicted func(evict.Outcome)
	// MustBeEmpty makes pods that keep coming an error; else they are left in
	// Outcome.Arrived.
	MustBeEmpty bool
	// Listen makes the listener of an eviction of a step's report; nil for the report
	// alone.
	Listen func(report plan.Report) evict.Listener
	// Warn is told what does not stop the drain; nil for the step's report.
	Warn plan.Report
	// Back is what takes the cordon of very many nodes back; empty means to uncordon
	// them. GivenUp says that nothing is to be taken back.
	Back    string
	GivenUp bool

	// Decision is what was decided last, and Measures what a surge does then.
	Decision drain.Decision
	Measures []surge.Measure
	// Changed are the nodes that were cordoned here.
	Changed []string
	// Outcome is what became of the pods, in all rounds together.
	Outcome evict.Outcome
	// Surged are the measures that were begun, Reverted says what was taken back.
	Surged   []surge.Measure
	Reverted []string

	// fresh is true while the decision is as good as a new one.
	fresh bool
	// mute is true once it was said that the nodes' conditions cannot be set.
	mute    bool
	surging *surging
}

// drainRounds is how often pods that came during the drain are taken in: those that were on
// their way when the cordon took effect.
const drainRounds = 3

// markLimit bounds a courtesy.
const markLimit = 10 * time.Second

// Decide reads the pods and decides what becomes of each, and what a surge does. It
// refuses what needs consent. What follows at once need not read again.
func (d *Drain) Decide(ctx context.Context) error {
	snapshot, err := drain.Survey(ctx, d.Client, drain.Target{Names: d.Nodes}, d.Options)
	if err != nil {
		return err
	}
	return d.decide(ctx, snapshot, drain.Decide(snapshot, d.Options))
}

// Take makes a decision that was just made the drain's own.
func (d *Drain) Take(ctx context.Context, snapshot drain.Snapshot, decision drain.Decision) error {
	d.Nodes = decision.Names()
	err := d.decide(ctx, snapshot, decision)
	d.fresh = err == nil
	return err
}

func (d *Drain) decide(ctx context.Context, snapshot drain.Snapshot, decision drain.Decision) (err error) {
	d.Decision, d.Measures = decision, nil
	if err := decision.Refusal(); err != nil {
		return err
	}
	d.Measures, err = decideSurge(ctx, d.Client, snapshot, decision, d.Surge)
	return err
}

// Title names the nodes in a few words.
func (d *Drain) Title() string {
	const most = 5
	return text.First(d.Nodes, most)
}

// Steps cordon the nodes and evict their pods.
func (d *Drain) Steps() []plan.Step { return []plan.Step{d.CordonStep(), d.EvictStep("")} }

// CordonStep cordons the nodes.
func (d *Drain) CordonStep() plan.Step {
	step := plan.Step{ID: "cordon", Title: "Cordon " + d.Title(), Do: d.cordon}
	if d.fresh {
		step.Needed = func(context.Context) (bool, error) { return len(d.Decision.ToCordon()) > 0, nil }
	}
	return step
}

// EvictStep evicts the pods of the nodes; a title is made where none is given.
func (d *Drain) EvictStep(title string) plan.Step {
	if title == "" {
		title = fmt.Sprintf("Evict %s from %s", text.Count(len(d.Decision.ToEvict()), "pod"), d.Title())
	}
	return plan.Step{ID: "drain", Title: title, Do: d.evict}
}

// VolumeStep waits until no volume is attached to the nodes; a title is made where
// none is given.
func (d *Drain) VolumeStep(title string) plan.Step {
	if title == "" {
		title = "Wait until the volumes of " + d.Title() + " are detached"
	}
	return plan.Step{ID: "volumes", Title: title, Do: d.awaitVolumes}
}

// note says who cordons, when and why.
func (d *Drain) note() drain.Note {
	return drain.Note{By: d.By, At: time.Now().UTC(), Reason: d.Reason, Drain: true}
}

// cordon cordons the nodes. A fresh decision knows which are not: then all are, or
// none.
func (d *Drain) cordon(ctx context.Context, report plan.Report) (err error) {
	if d.fresh {
		d.Changed, err = drain.Cordon(ctx, d.Client, d.Decision, d.note())
		return err
	}
	errs := d.cordonEach(ctx, d.Nodes)
	for _, node := range d.Nodes {
		if err := errs[node]; err != nil {
			return err
		}
	}
	if len(d.Changed) == 0 {
		report("already cordoned")
	}
	return nil
}

// cordonEach cordons nodes one by one, and returns why it failed on which.
func (d *Drain) cordonEach(ctx context.Context, nodes []string) map[string]error {
	errs := map[string]error{}
	for _, node := range nodes {
		changed, err := drain.Scheduling{Unschedulable: true, Note: d.note()}.Apply(ctx, d.Client, node)
		if changed {
			d.Changed = append(d.Changed, node)
		}
		if err == nil && changed && d.Cordoned != nil {
			err = d.Cordoned(ctx, node)
		}
		if err != nil {
			errs[node] = err
		}
	}
	return errs
}

// evict evicts what has to leave. It reads again before it does, unless the decision
// is fresh and nothing was cordoned, and takes in what came since.
func (d *Drain) evict(ctx context.Context, report plan.Report) (err error) {
	shown := d.Decision.Foreign()
	d.mark(ctx, drain.Draining, report)
	d.surging = &surging{client: d.Client, by: d.By}
	defer func() {
		if err = d.stillCordoned(err); d.Evicted != nil {
			d.Evicted(d.Outcome)
		}
		var back error
		d.Reverted, back = d.surging.end(ctx, d.Nodes)
		d.lookForOthers(ctx, shown)
		for _, line := range d.Reverted {
			report("%s", line)
		}
		if began := d.surging.began; !began.IsZero() && began.Before(d.Outcome.Began) {
			d.Outcome.Began = began // successors came before anything left
		}
		stage := drain.Drained
		if err != nil || back != nil {
			stage = drain.Stopped
		}
		d.mark(ctx, stage, report)
		err = errors.Join(err, back)
	}()
	d.Outcome = evict.Outcome{}
	for round := range drainRounds {
		if err := d.evictOnce(ctx, round > 0, report); err != nil {
			return err
		}
		if len(d.Outcome.Arrived) == 0 {
			return nil
		}
		report("%s came to %s during the drain", text.Count(len(d.Outcome.Arrived), "pod"), d.Title())
	}
	if !d.MustBeEmpty {
		return nil
	}
	return plan.Hint(fmt.Errorf("pods keep coming to %s although it is cordoned", d.Title()),
		"see what puts them there: kubectl get pods -A --field-selector spec.nodeName=%s", text.Quote(d.Nodes[0]))
}

// evictOnce is one round.
func (d *Drain) evictOnce(ctx context.Context, again bool, report plan.Report) error {
	if again || !d.fresh || len(d.Changed) > 0 {
		if err := d.Decide(ctx); err != nil {
			return plan.Begun(err)
		}
	}
	hear := evict.Listener{Report: report}
	if d.Listen != nil {
		hear = d.Listen(report)
	}
	for _, m := range d.Measures {
		if !slices.ContainsFunc(d.Surged, func(s surge.Measure) bool { return s.UID == m.UID }) {
			d.Surged = append(d.Surged, m)
		}
	}
	if err := d.surging.begin(ctx, d.Measures, &hear); err != nil {
		return err
	}
	outcome, err := evict.Evict(ctx, d.Client, d.Decision, d.Options, hear)
	d.Outcome = both(d.Outcome, outcome)
	return err
}

// Emptied reports whether all that had to leave a node has left it.
func (d *Drain) Emptied(node string) bool {
	for _, n := range d.Outcome.Nodes {
		if n.Name == node {
			return n.Drained
		}
	}
	return false
}

// awaitVolumes has what is left of the timeout. Cleaning a host under a volume that is
// attached could lose what was written last.
func (d *Drain) awaitVolumes(ctx context.Context, report plan.Report) error {
	timeout := d.Options.Timeout
	if timeout > 0 {
		timeout = max(timeout-time.Duration(d.Outcome.Seconds*float64(time.Second)), time.Second)
	}
	err := detach.Await(ctx, d.Client, d.Decision.WithStaying(d.Staying), timeout, report)
	if err != nil {
		d.mark(ctx, drain.Stopped, report)
	}
	return d.stillCordoned(err)
}

// Revert takes back what a drain that was killed has left of a surge.
func (d *Drain) Revert(ctx context.Context) (reverted []string, err error) {
	return (&surging{client: d.Client, by: d.By}).end(ctx, d.Nodes)
}
