// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// switching is one switch of the network.
type switching struct {
	commands
	client  kubernetes.Interface
	store   releases
	states  netswitch.Store
	request cni.Request
	flags   switchFlags
	// state is how far it is; resumes says that an earlier command has begun it.
	state   netswitch.State
	resumes bool
	// old is what goes, new what comes; zero for what is over.
	old uninstall.Uninstallation
	new cni.Installation
	// nodes are those whose hosts are cleaned, silent the names of those that are not: they
	// do not answer, or did not in time.
	nodes  []*corev1.Node
	silent []string
	// webhooks are those without whose answers no pod is made, unread why they are not known.
	webhooks []string
	unread   error
	// hosts are what became of hosts, or would become.
	hosts     []netclean.Result
	restarted *netswitch.Restarted
}

// rendered renders charts without the API: the objects of the old network may have the
// names of the new one's as long as they are there.
type rendered struct {
	release.Store
	kubernetes string
}

func (r rendered) Render(ctx context.Context, d release.Desired) (release.Rendered, error) {
	return r.Template(ctx, d, r.kubernetes)
}

// prepare reads and decides, and refuses what cannot work, while nothing is changed.
func (s *switching) prepare(ctx context.Context) error {
	state, found, err := s.states.Load(ctx)
	if err != nil {
		return err
	}
	s.state, s.resumes = state, found
	if found {
		if err := state.Resumes(s.flags.from, s.request.CNI); err != nil {
			return err
		}
	}
	survey, err := cni.Survey(ctx, s.client, s.store)
	if err != nil {
		return err
	}
	if err := s.prepareOld(ctx, survey); err != nil {
		return err
	}
	if err := s.listNodes(ctx); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if !kubenode.KubeletAnswers(n) {
			s.silent = append(s.silent, n.Name)
		}
	}
	s.webhooks, s.unread = netswitch.Webhooks(ctx, s.client)
	if s.state.Past(netswitch.Clean) {
		return nil // the installation itself looks
	}
	if err := s.prepareNew(ctx, survey); err != nil {
		return err
	}
	return s.look(ctx)
}

// listNodes lists the nodes whose hosts are concerned.
func (s *switching) listNodes(ctx context.Context) error {
	nodes, err := kube.ListNodes(ctx, s.client, metav1.ListOptions{})
	if err != nil {
		return err
	}
	s.nodes = linux(kube.Pointers(nodes))
	return nil
}

// look looks at each host before the old network goes: without it and with a host that
// cannot be cleaned the cluster would have none. A resumed switch meets it there.
func (s *switching) look(ctx context.Context) error {
	if s.resumes || s.flags.mode == env.DryRunClient {
		return nil
	}
	results, err := s.cleanHosts(ctx, netclean.Cleaning{Network: s.state.From, Agents: s.state.Agents, AtOnce: s.flags.atOnce, WithPods: true,
		DryRun: true, Nodes: s.nodes}, s.flags.cleanFlags.runner)
	if err != nil {
		return err
	}
	s.hosts = results
	if failed := s.failed(results); failed > 0 {
		return plan.Refuse(fmt.Errorf("%s could not be cleaned of %s, and would have no network then", text.Count(failed, "host"), s.state.From),
			"clear away what is said above; or remove a node that is not to stay: kubectl lifecycle remove NODE")
	}
	return nil
}

// failed says which hosts are not clean although their nodes answer, and counts them; the
// nodes that do not are noted.
func (s *switching) failed(results []netclean.Result) int {
	s.silent = nil
	failed := 0
	for _, r := range results {
		switch {
		case r.State == netclean.Silent:
			s.silent = append(s.silent, r.Node)
		case r.Left():
			failed++
			s.Warn("host %s: %s: %s", r.Node, r.State, r.Error)
			if r.Hint != "" {
				s.Say("         %s", r.Hint)
			}
		}
	}
	return failed
}

// prepareOld decides what goes.
func (s *switching) prepareOld(ctx context.Context, survey facts.Facts) error {
	if s.state.Past(netswitch.Uninstall) {
		return nil
	}
	from := s.flags.from
	if s.resumes {
		from = s.state.From
	}
	network, err := uninstall.Choose(survey, from)
	if err != nil {
		return err
	}
	seen, err := uninstall.Survey(ctx, s.client, s.store, survey, network)
	if err != nil {
		return err
	}
	if s.old, err = uninstall.Decide(seen, true); err != nil {
		return err
	}
	if s.old.Nothing() && !s.resumes {
		return plan.Refuse(fmt.Errorf("the cluster does not have the network %s", network.Name), "kubectl lifecycle cni install %s",
			text.Quote(s.request.CNI))
	}
	if !s.resumes {
		s.state = netswitch.State{From: network.Name, To: s.request.CNI, Agents: s.old.Agents(), Phase: netswitch.Uninstall}
	}
	return uninstall.Allowed(ctx, s.client, s.old)
}

// prepareNew decides what comes, as if the old network were gone.
func (s *switching) prepareNew(ctx context.Context, survey facts.Facts) (err error) {
	old, _ := survey.Network(s.state.From)
	namespace, name := s.old.Release.Namespace, s.old.Release.Name
	if old.Release != "" {
		namespace, name = old.ReleaseNamespace, old.Release
	}
	without := survey.Without(s.state.From, namespace, name)
	hosts, err := s.flags.hosts(ctx)
	if err != nil {
		return err
	}
	s.request.Hosts = finding.Without(hosts, s.state.From)
	if s.new, err = cni.Decide(without, s.request); err != nil {
		return err
	}
	if s.new, err = cni.Prepare(ctx, s.client, rendered{s.store, survey.Kubernetes}, s.new); err != nil {
		return err
	}
	return s.flags.images(ctx, survey, s.new, s.request)
}

// run does it, phase by phase.
func (s *switching) run(ctx context.Context) (err error) {
	if !s.resumes {
		if s.state, err = s.states.Begin(ctx, s.state); err != nil {
			return err
		}
	}
	for _, phase := range []struct {
		is netswitch.Phase
		do func(context.Context) error
	}{{netswitch.Uninstall, s.uninstall}, {netswitch.Clean, s.clean}, {netswitch.Install, s.install}} {
		if s.state.Past(phase.is) {
			continue
		}
		if err := phase.do(ctx); err != nil {
			return err
		}
	}
	if err := s.restart(ctx); err != nil {
		return err
	}
	if err := s.listNodes(ctx); err != nil {
		return err
	}
	s.silent = s.state.Uncleaned(s.nodes)
	return s.states.End(ctx)
}

// enter notes that the next phase begins.
func (s *switching) enter(ctx context.Context, phase netswitch.Phase) (err error) {
	s.state.Phase = phase
	s.state, err = s.states.Save(ctx, s.state)
	return err
}

func (s *switching) uninstall(ctx context.Context) error {
	within, cancel := env.Within(ctx, s.flags.timeout)
	defer cancel()
	progress := s.Progress()
	_, err := uninstall.Recipe(s.client, s.store, s.old).Run(within, progress)
	progress.Close()
	if err != nil {
		return err
	}
	return s.enter(ctx, netswitch.Clean)
}

func (s *switching) clean(ctx context.Context) error {
	if err := s.listNodes(ctx); err != nil { // some may have joined since
		return err
	}
	var noted error
	results, err := s.cleanHosts(ctx, netclean.Cleaning{Network: s.state.From, Agents: s.state.Agents, AtOnce: s.flags.atOnce, WithPods: true,
		Nodes: append([]*corev1.Node{}, s.unclean()...), Cleaned: func(node string) {
			s.state.Cleaned = append(s.state.Cleaned, node)
			var err error
			s.state, err = s.states.Save(ctx, s.state)
			noted = errors.Join(noted, err)
		}}, s.flags.cleanFlags.runner)
	if err := errors.Join(err, noted); err != nil {
		return err
	}
	s.hosts = results
	s.saySettings(results)
	if s.failed(results) > 0 {
		return hostsLeft(ctx, s.state.From, slices.DeleteFunc(results, func(r netclean.Result) bool { return r.State == netclean.Silent }))
	}
	return s.enter(ctx, netswitch.Install)
}

func (s *switching) install(ctx context.Context) (err error) {
	if s.state.Installed.IsZero() { // interrupted between the two writes of its beginning
		if s.state, err = s.states.Save(ctx, s.state); err != nil {
			return err
		}
	}
	if err := netswitch.RestartDNS(ctx, s.client, s.state.Installed); err != nil {
		return err
	}
	within, cancel := env.Within(ctx, s.flags.timeout)
	defer cancel()
	f := s.flags.cniFlags
	if f.probe {
		f.prove = s.proving(s.flags.cleanFlags.runner)
	}
	f.quiet, f.check = true, false // images were asked for before the old network went
	if err := s.runCNI(within, s.client, s.store, s.request, f); err != nil {
		return err
	}
	return s.enter(ctx, netswitch.Restart)
}
