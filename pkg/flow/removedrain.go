// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/detach"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// drainRounds is how often pods that came meanwhile are taken in: those that
// were on their way when the cordon took effect.
const drainRounds = 3

// drain evicts what has to leave.
func (r *Removal) drain(ctx context.Context, report plan.Report) error {
	return r.drainAll(ctx, []string{r.Node.Name}, report)
}

// drainAll evicts what has to leave some nodes. It reads again before it does:
// the canary has taken its time, and the pods may be others.
func (r *Removal) drainAll(ctx context.Context, names []string, report plan.Report) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.keepAlive(ctx)
	r.mark(ctx, names, drain.Draining, report)
	surge := &Surging{Client: r.cluster.Client, By: r.opts.Who}
	defer func() {
		said, back := surge.End(ctx, names)
		for _, line := range said {
			report("%s", line)
		}
		err = errors.Join(err, back)
		stage := drain.Drained
		if err != nil {
			stage = drain.Stopped
		}
		r.mark(ctx, names, stage, report)
	}()
	for range drainRounds {
		decision, err := r.decideAgain(ctx, names, surge)
		if err != nil {
			return r.stillCordoned(err)
		}
		hear := evict.Listener{Report: report}
		if err := surge.Begin(ctx, &hear); err != nil {
			return r.stillCordoned(err)
		}
		outcome, err := evict.Evict(ctx, r.cluster.Client, decision, r.opts.Drain, hear)
		r.emptied = map[string]bool{}
		for _, n := range outcome.Nodes {
			r.emptied[n.Name] = n.Drained
		}
		if err != nil {
			return r.stillCordoned(err)
		}
		r.Returned, r.drained = append(r.Returned, outcome.Returned...), decision
		if len(outcome.Arrived) == 0 {
			return nil
		}
		report("%d pods came to the node meanwhile", len(outcome.Arrived))
	}
	return r.stillCordoned(plan.Hint(errors.New("pods keep coming to the node although it is cordoned"),
		"see who puts them there: kubectl get pods -A --field-selector spec.nodeName=%s", text.Quote(r.Node.Name)))
}

// decideAgain reads the pods anew, and what a surge can do for them.
func (r *Removal) decideAgain(ctx context.Context, names []string, surge *Surging) (drain.Decision, error) {
	snapshot, err := drain.Survey(ctx, r.cluster.Client, drain.Target{Names: names}, r.opts.Drain)
	if err != nil {
		return drain.Decision{}, plan.Begun(err)
	}
	d := drain.Decide(snapshot, r.opts.Drain)
	if err := d.Refusal(); err != nil {
		return d, plan.Begun(err)
	}
	return d, surge.Decide(ctx, snapshot, d, r.opts.Surge)
}

// mark says to other tools, by conditions of the nodes, what is done to them. It is a
// courtesy: that it fails is said, and nothing more; and it is told even after Ctrl-C.
func (r *Removal) mark(ctx context.Context, names []string, stage drain.Stage, report plan.Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markLimit)
	defer cancel()
	if err := drain.Mark(ctx, r.cluster.Client, names, stage); err != nil && !r.mute {
		r.mute = true
		report("%v", err)
	}
}

// markLimit bounds a courtesy.
const markLimit = 10 * time.Second

// volumes waits for volumes that the node has still: cleaning the host under
// one that is attached could lose what was written last.
func (r *Removal) volumes(ctx context.Context, report plan.Report) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.keepAlive(ctx)
	return r.stillCordoned(detach.Await(ctx, r.cluster.Client, r.drained.WithStaying(r.excluded), r.opts.Drain.Timeout, report))
}

// decide reads the pods, and says what becomes of each, before anything is changed:
// those that leave, those that no drain asks, and the Deployments that a surge helps.
func (r *Removal) decide(ctx context.Context) error {
	surge := &Surging{Client: r.cluster.Client}
	snapshot, err := drain.Survey(ctx, r.cluster.Client, drain.Target{Names: []string{r.Node.Name}}, r.opts.Drain)
	if err != nil {
		return err
	}
	r.Drain = drain.Decide(snapshot, r.opts.Drain)
	if err := r.Drain.Refusal(); err != nil {
		return err
	}
	if err := surge.Decide(ctx, snapshot, r.Drain, r.opts.Surge); err != nil {
		return err
	}
	r.Surge = surge.Measures
	return r.exclude(ctx)
}

// exclude finds the pods that the pod selector leaves out. A storage engine that has
// to serve the others' volumes until they are detached is named like that.
func (r *Removal) exclude(ctx context.Context) error {
	if r.opts.Drain.PodSelector == "" {
		return nil
	}
	pods, err := podsOn(ctx, r.cluster.Client, r.Node.Name)
	if err != nil {
		return err
	}
	r.excluded, err = excludedBy(r.opts.Drain.PodSelector, others(pods, r.cluster))
	for _, pod := range r.excluded {
		r.Excluded = append(r.Excluded, pod.Namespace+"/"+pod.Name)
	}
	return err
}

// excludedBy are the pods that a selector leaves out of a drain and that would have
// had to leave: those of DaemonSets and of the host itself stay anyway, and what is
// over holds nothing. It is pure.
func excludedBy(selector string, pods []corev1.Pod) ([]corev1.Pod, error) {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return nil, fmt.Errorf("--pod-selector: %w", err)
	}
	var out []corev1.Pod
	for i := range pods {
		over := pods[i].Status.Phase == corev1.PodSucceeded || pods[i].Status.Phase == corev1.PodFailed
		if !over && !everywhere(&pods[i]) && !parsed.Matches(labels.Set(pods[i].Labels)) {
			out = append(out, pods[i])
		}
	}
	return out, nil
}
