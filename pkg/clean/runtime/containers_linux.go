// SPDX-License-Identifier: Apache-2.0

package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/part"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/cri"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	criListLimit = 10 * time.Second
	// sandboxLimit is for one call about one pod; a network that cannot reach
	// its API server takes its time to fail (kubernetes/kubeadm#688).
	sandboxLimit = 45 * time.Second
	// graceMost is how long a container of the pods that a drain leaves (the
	// node's own agents) gets to end by itself.
	graceMost = 10 * time.Second
	// atOnce is how many pods are stopped at the same time.
	atOnce = 8
	// rounds is how often what could not be removed is tried again, and roundPause the
	// time before the second try, twice as long before each further one: containerd
	// does not remove a container that it was starting when the kubelet was stopped
	// ("is in starting state") until it has given up on that.
	rounds     = 5
	roundPause = 500 * time.Millisecond
)

// Containers are the pods, and their containers, that the runtime lists.
func (t Runtime) Containers() part.Part {
	return part.Part{
		ID: "containers", Kind: inventory.KindSandbox, Vital: true,
		Look: t.Look, Take: t.removeContainers,
	}
}

// Look lists sandboxes and containers, of the kubelet's runtime and of any other that the
// cluster names. A runtime that does not answer is unchecked, not empty; another one that
// does not is named.
func (t Runtime) Look(ctx context.Context) (part.Findings, error) {
	var s part.Findings
	at, err := t.sockets()
	if err != nil {
		s.Missed(inventory.KindSandbox, "container runtime", err)
		return s, nil
	}
	if at.own == "" {
		if node, err := t.Credentialed(); err != nil || node {
			s.Missed(inventory.KindSandbox, "container runtime", errors.New("no socket found; name it in the facts"))
		}
	}
	if at.unasked != "" {
		s.NotLookedAt(inventory.KindSandbox, "container runtime at "+at.unasked, at.why)
	}
	for _, socket := range at.all() {
		what := "container runtime at " + socket
		pods, err := t.podsAt(ctx, socket)
		switch {
		case socket == at.own:
			s.Missed(inventory.KindSandbox, what, err)
		case err != nil:
			s.NotLookedAt(inventory.KindSandbox, what, err.Error())
		}
		t.addPods(&s, pods, text.Choose(socket == at.own, "", ", in "+socket))
	}
	return s, nil
}

// addPods adds pods and their containers; where says in which runtime they are.
func (t Runtime) addPods(s *part.Findings, pods []pod, where string) {
	for _, p := range pods {
		if t.isDoor(p) {
			continue
		}
		where, turn := where, inventory.Turn("")
		if p.HostNetwork {
			where, turn = ", host network"+where, inventory.AfterOthers
		}
		s.Add(inventory.Item{
			Kind: inventory.KindSandbox, Name: p.Namespace + "/" + p.Name, ID: p.ID, Owner: inventory.Runtime, Fate: inventory.Goes,
			Turn: turn, Detail: text.Choose(p.Ready, "ready", "not ready") + where,
		})
		for _, c := range p.inside {
			s.Add(inventory.Item{
				Kind: inventory.KindContainer, Name: c.Pod + "/" + c.Name, ID: c.ID, Owner: inventory.Runtime, Fate: inventory.Goes,
				Turn: turn, Detail: text.Choose(c.Running, "running", "ended") + where,
			})
		}
	}
}

// removeContainers removes the pods of the kubelet's runtime, then those of another that the
// cluster names and that answers.
func (t Runtime) removeContainers(ctx context.Context, report plan.Report) error {
	at, err := t.sockets()
	if err != nil {
		return err
	}
	// An earlier process may have been killed while it was in place: the pods'
	// own network is to take itself down.
	if err := t.RealNetwork(); err != nil {
		return err
	}
	for _, socket := range at.all() {
		if _, err := t.podsAt(ctx, socket); err != nil && socket != at.own {
			continue // the second look names it
		}
		if err := t.emptyRuntime(ctx, socket, report); err != nil {
			return err
		}
	}
	return part.Left(ctx, t.Look)
}

// emptyRuntime takes the pods with a network of their own first: their network is taken
// down by plugins, which may need the agents that run as pods in the host's network.
func (t Runtime) emptyRuntime(ctx context.Context, socket string, report plan.Report) error {
	client := cri.New(t.Path(socket))
	defer client.Close()
	errs := []error(nil)
	for round := range rounds {
		if !pause(ctx, round, errs) {
			return context.Cause(ctx)
		}
		pods, err := t.podsOf(ctx, client)
		if err != nil {
			return plan.Hint(err, "start the container runtime, then retry")
		}
		if len(pods) == 0 {
			return nil
		}
		for _, hostNet := range []bool{false, true} {
			group := slices.DeleteFunc(slices.Clone(pods), func(p pod) bool { return p.HostNetwork != hostNet })
			if errs = t.removeGroup(ctx, client, group, round, report); len(errs) > 0 {
				break // the agents stay until no container needs them
			}
		}
		if len(errs) > 0 {
			report("%d of %d pods could not be removed yet: %v", len(errs), len(pods), errs[0])
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return plan.Hint(part.Summary(errs), "see why on the host (journalctl -u containerd), then retry")
}

// removeGroup removes the pods that have a network of their own, or those that do
// not. Pods whose network's agent does not answer are removed without it at once.
func (t Runtime) removeGroup(ctx context.Context, client *cri.Client, group []pod, round int, report plan.Report) []error {
	own := len(group) > 0 && !group[0].HostNetwork
	if own && round == 0 {
		if socket := (cni.Networks{Host: t.Host}).DeadAgent(ctx); socket != "" {
			report("the pod network's agent does not answer at %s", socket)
			return t.removeWithoutNetwork(ctx, client, group, report)
		}
	}
	failed := t.removePods(ctx, client, group, report)
	if len(failed) == 0 || round == 0 {
		return failed
	}
	t.endByForce(group, report)
	if own {
		return t.removeWithoutNetwork(ctx, client, group, report)
	}
	return failed
}

// pause pauses before a round if the last one has failed, and reports whether the
// context lives.
func pause(ctx context.Context, round int, failed []error) bool {
	if len(failed) == 0 {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(roundPause << (round - 1)):
		return true
	}
}

// removePods removes some pods side by side and returns what went wrong.
func (t Runtime) removePods(ctx context.Context, client *cri.Client, pods []pod, report plan.Report) []error {
	var mu sync.Mutex
	var wait sync.WaitGroup
	var errs []error
	slots := make(chan struct{}, atOnce)
	for _, p := range pods {
		wait.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wait.Done() }()
			err := t.removePod(ctx, client, p, report)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			if p.ID != "" {
				report("removed pod %s/%s", p.Namespace, p.Name)
			}
		}()
	}
	wait.Wait()
	return errs
}

// removePod stops the containers, each with its own grace period up to a
// limit, then the sandbox, then removes all of it.
func (t Runtime) removePod(ctx context.Context, client *cri.Client, p pod, report plan.Report) error {
	var wait sync.WaitGroup
	for _, c := range p.inside {
		if !c.Running {
			continue
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			grace := min(c.Grace, graceMost)
			// What does not end now is killed with its sandbox.
			_ = bounded(ctx, grace+sandboxLimit, func(ctx context.Context) error { return client.StopContainer(ctx, c.ID, grace) })
		}()
	}
	wait.Wait()
	if p.ID == "" {
		var errs []error
		for _, c := range p.inside {
			err := bounded(ctx, sandboxLimit, func(ctx context.Context) error { return client.RemoveContainer(ctx, c.ID) })
			if err != nil {
				errs = append(errs, fmt.Errorf("remove container %s of %s: %w", c.Name, c.Pod, err))
			}
		}
		return errors.Join(errs...)
	}
	err := t.watched(ctx, p, report, func(ctx context.Context) error { return client.StopSandbox(ctx, p.ID) })
	if err != nil {
		return fmt.Errorf("stop pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	err = bounded(ctx, sandboxLimit, func(ctx context.Context) error { return client.RemoveSandbox(ctx, p.ID) })
	if err != nil {
		return fmt.Errorf("remove pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}

// bounded makes one call with a deadline of its own.
func bounded(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}
