// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netswitch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const cniSwitchLong = `Replace the pod network of the cluster by another one, or by the same one with values that
a running network does not change (a backend, a range).

It interrupts the whole cluster: from the cleaning of its host until the new network
works, no pod that is not in its host's network can be reached, nor reach anything. Plan
a maintenance window. Two networks are never mixed, node by node: pods of the one do not
reach those of the other, so that every Service would fail in part for as long as it took.

  1. Everything that can be checked is, while nothing has changed: the chart of the new
     network is read and rendered, with the values that agree with the cluster (and with
     --check-images its images are asked for; with --look 50 hosts, at most, are asked for
     what it needs, as 'cni install' does), and each host is looked at. A host that
     cannot be read as a whole, so that it could not be called clean, is refused.
  2. The old network is removed from the API (as 'cni uninstall --with-pods').
  3. The hosts of all nodes are cleaned of it (as --clean-nodes), --max-parallel at a time.
     A node that does not answer does not stop the switch, and is named at the end (exit
     code 3); a host that answers and is not clean stops it.
  4. The new network is installed, waited for and tested (as 'cni install').
  5. Pods from before, which have no network, are restarted: those that are Ready by
     evictions within their budgets, the others by deletion. Pods without a controller
     are named and left.

A ConfigMap records how far it is, until it is done. After any interruption, the same
command continues from there. The flags for chart and values are those of 'cni install';
give them again.`

// switchFlags are the flags of cni switch.
type switchFlags struct {
	cniFlags
	cleanFlags
	from         string
	yes, restart bool
	restartLimit time.Duration
}

func newCNISwitchCommand(c commands) *cobra.Command {
	var f switchFlags
	cmd := &cobra.Command{
		Use:   "switch NAME",
		Short: "Replace the pod network; this interrupts the whole cluster",
		Long:  cniSwitchLong,
		Example: "  kubectl lifecycle cni switch cilium --dry-run\n" +
			"  kubectl lifecycle cni switch flannel --set flannel.backend=host-gw",
		Args:      env.UsageArgs(cobra.ExactArgs(1)),
		ValidArgs: cni.Known(),
		RunE:      func(cmd *cobra.Command, args []string) error { return c.switchCNI(cmd.Context(), args[0], f) },
	}
	flags := cmd.Flags()
	env.AddOutput(flags, &f.output, "name")
	env.AddDryRun(flags, &f.dryRun,
		"none, client or server: show what would be done; server also looks at hosts, and names what would be removed there")
	f.chartFlags.add(flags)
	f.addChecks(flags)
	f.addHow(flags)
	flags.StringVar(&f.from, "from", "", "The network that is replaced (default: the one that the cluster has)")
	flags.BoolVarP(&f.yes, "yes", "y", false, "Do not ask for confirmation")
	flags.BoolVar(&f.probe, "probe", true, "Send packets through the new network, as 'cni test' does")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute,
		"How long the old network may take to go, and the new one to work, each; 0 means no limit")
	flags.BoolVar(&f.restart, "restart-pods", true, "Restart the pods from before, which have no network")
	flags.DurationVar(&f.restartLimit, "restart-timeout", 10*time.Minute,
		"How long budgets are waited for when pods are restarted; 0 means no limit")
	return cmd
}

func (c commands) switchCNI(ctx context.Context, to string, f switchFlags) error {
	var err error
	if f.mode, err = env.ParseDryRun(f.dryRun); err != nil {
		return err
	}
	if err := errors.Join(view.CheckFormat(f.output, "name"), f.validate()); err != nil {
		return err
	}
	request, err := f.request(to)
	if err != nil {
		return err
	}
	cluster, err := c.Cluster(f.cleanFlags.runner)
	if err != nil {
		return err
	}
	store := helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")}
	s := switching{commands: c, client: cluster.Client, store: store, request: request, flags: f,
		states: netswitch.Store{Client: cluster.Client}}
	if f.look {
		s.flags.ask = c.looking(s.client, f.cleanFlags.runner)
	}
	if err := netswitch.Allowed(ctx, s.client); err != nil {
		return env.NothingChanged(err)
	}
	switch err := s.prepare(ctx); {
	case err != nil && !s.resumes:
		return env.NothingChanged(err)
	case err != nil:
		return err
	}
	if err := s.show(); err != nil {
		return err
	}
	if f.mode != env.DryRunNone {
		return s.tell("would be replaced by", "(dry run: nothing was changed)")
	}
	if !f.yes {
		what := fmt.Sprintf("This interrupts all pods of the cluster until the network %s works.", to)
		if err := c.Confirm(what, to); err != nil {
			return err
		}
	}
	if err := s.run(ctx); err != nil {
		return plan.Hint(err, "%s", strings.TrimSpace(plan.HintOf(err)+"\nthen run the same command again; it continues from there"))
	}
	return s.tellDone()
}

// tellDone prints the result; the error names the hosts that were not cleaned.
func (s *switching) tellDone() error {
	if err := s.tell("replaced by", ""); err != nil {
		return err
	}
	return s.state.Finding(s.silent)
}

// show writes what will be done to stderr.
func (s *switching) show() error {
	c, state := s.commands, s.state
	if s.resumes {
		c.Say("Continue the switch from %s to %s, which was begun before.", state.From, state.To)
	}
	c.Say("Switch the network from %s to %s:", state.From, state.To)
	if !state.Past(netswitch.Uninstall) {
		c.Say("  remove %s from the API: release %s with %s", state.From, s.old.Release.Name,
			text.Count(len(s.old.Objects), "object"))
	}
	if !state.Past(netswitch.Clean) {
		c.Say("  clean %s of it, %d at a time", text.Count(len(s.unclean()), "host"), s.flags.atOnce)
		if s.flags.mode == env.DryRunServer {
			s.sayObjects()
		}
		if len(s.silent) > 0 {
			c.Warn("these nodes do not answer, and are not cleaned: %s", text.Some(s.silent))
		}
	}
	switch {
	case state.Past(netswitch.Install):
	case state.Past(netswitch.Clean):
		c.Say("  install %s, and wait until it works", state.To)
	default:
		c.Say("  install %s, chart %s %s, and wait until it works", state.To, s.new.Chart.Name, s.new.Chart.Version)
		for _, v := range s.new.Settings {
			c.Say("    %s=%v (%s)", v.Path, v.Value, v.Reason)
		}
	}
	if s.flags.restart {
		c.Say("  restart the pods that have the old network")
	}
	if !state.Past(netswitch.Install) {
		c.Warn("all pods of the cluster that are not in their hosts' network lose it until %s works", state.To)
	}
	s.sayWebhooks()
	return c.sayFindings(s.new.Findings)
}

// sayWebhooks names those that do not answer in the middle.
func (s *switching) sayWebhooks() {
	if len(s.webhooks) > 0 {
		s.Warn("webhooks must answer before a pod is made or evicted, and cannot while their own pods have no network: %s", text.Some(s.webhooks))
		s.Say("         set failurePolicy: Ignore on them for that time, unless their pods are in their hosts' network")
	}
	if s.unread != nil {
		s.Warn("whether a webhook keeps pods from being made in the middle is not known: %v", s.unread)
	}
}

// sayObjects names what goes on each host.
func (s *switching) sayObjects() {
	for _, r := range s.hosts {
		for _, it := range r.Objects {
			s.Say("    %s: %s", r.Node, it)
		}
	}
}

// tell prints the result, and what is to be said of it.
func (s *switching) tell(result, note string) error {
	if s.flags.output == "name" {
		return s.Names("cni", s.state.To)
	}
	out := struct {
		From   string                    `json:"from"`
		To     string                    `json:"to"`
		Result string                    `json:"result"`
		Pods   *netswitch.Restarted      `json:"restarted,omitempty"`
		Silent []string                  `json:"notCleaned,omitempty"`
		Hosts  []netclean.Result         `json:"hosts,omitempty"`
		Old    *uninstall.Uninstallation `json:"uninstalled,omitempty"`
		New    *cni.Installation         `json:"installed,omitempty"`
	}{From: s.state.From, To: s.state.To, Result: strings.TrimSpace(result + " " + note), Pods: s.restarted, Silent: s.silent, Hosts: s.hosts}
	if s.flags.mode != env.DryRunNone {
		out.Old, out.New = &s.old, &s.new
	}
	return s.Print(s.flags.output, view.Of("NetworkSwitch", out), func(sheet *view.Sheet) error {
		if note == "" {
			return sheet.Line("cni/%s %s cni/%s", view.Name(s.state.From), result, view.Name(s.state.To))
		}
		return sheet.Line("cni/%s %s cni/%s %s", view.Name(s.state.From), result, view.Name(s.state.To), note)
	})
}

// unclean are the nodes whose hosts are not known to be clean.
func (s *switching) unclean() (out []*corev1.Node) {
	for _, n := range s.nodes {
		if !slices.Contains(s.state.Cleaned, n.Name) {
			out = append(out, n)
		}
	}
	return out
}

// restart has the pods from before restarted.
func (s *switching) restart(ctx context.Context) error {
	if !s.flags.restart {
		names, err := netswitch.Before(ctx, s.client, s.state.Installed)
		if len(names) > 0 {
			s.Warn("%s from before %s no network until they are recreated: %s", view.CountPods(len(names)),
				text.Choose(len(names) == 1, "has", "have"), text.Some(names))
		}
		return err
	}
	within, cancel := env.Within(ctx, s.flags.restartLimit)
	defer cancel()
	var done netswitch.Restarted
	progress := s.Progress()
	_, err := plan.Plan{Title: "Restart pods", Steps: []plan.Step{{
		ID: "pods", Title: "Restart the pods that have the old network",
		Do: func(_ context.Context, report plan.Report) (err error) {
			done, err = netswitch.RestartPods(within, s.client, s.state.Installed, report)
			return err
		},
	}}}.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	s.restarted = &done
	for _, bare := range s.restarted.Bare {
		s.Warn("pod %s has no network, and no controller that would recreate it", bare)
	}
	for _, pod := range slices.Sorted(maps.Keys(s.restarted.Held)) {
		s.Warn("pod %s: %s", pod, s.restarted.Held[pod])
	}
	if held := s.restarted.Held; len(held) > 0 {
		class := plan.TimedOut
		if ctx.Err() != nil {
			class = plan.ClassOf(ctx.Err())
		}
		return plan.As(class, plan.Hint(fmt.Errorf("%s from before were not evicted", view.CountPods(len(held))),
			"let their budgets allow it, fix what else is named above, or delete these pods"))
	}
	return nil
}
