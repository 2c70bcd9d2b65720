// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const cniUninstallLong = `Remove a pod network from the cluster: its Helm release with all its objects, what its
agents have written into the API for themselves, and what they have written on Nodes.
What people wrote (policies, pools) and the definitions of its custom resources stay, and
are named.

It is refused while pods run that have an address of the network, unless --with-pods
says that they may lose it, and for a network that was applied as manifests or that
Flux or Argo CD manages. It is also refused if a release holds definitions of custom
resources, or a namespace with more than its own in it: all of that would be deleted, too.
--dry-run shows exactly the objects that would be deleted.

No host is changed, and what stays there is named, unless you add --clean-nodes: then each
node's host is cleaned of what this network has left there (links, routes, rules,
programs, files), and of nothing else, through a pod that is gone afterwards.
--dry-run=server names the exact objects on each host. A node that does not answer is
named, and does not keep others from being cleaned. 'remove' cleans a host that leaves
the cluster.

Run it again after any interruption; when there is nothing left, it says so. Once the
network is gone from the API, give its name to clean hosts.`

// uninstallFlags are the flags of cni uninstall.
type uninstallFlags struct {
	dryRun, output string
	yes, withPods  bool
	timeout        time.Duration
	mode           env.DryRun // what dryRun says
	cleanFlags
}

func newCNIUninstallCommand(c commands) *cobra.Command {
	var f uninstallFlags
	cmd := &cobra.Command{
		Use:   "uninstall [NAME]",
		Short: "Remove a pod network, and name what stays on hosts",
		Long:  cniUninstallLong,
		Example: "  kubectl lifecycle cni uninstall --dry-run\n  kubectl lifecycle cni uninstall flannel --yes\n" +
			"  kubectl lifecycle cni uninstall flannel --clean-nodes --dry-run=server",
		Args:      env.UsageArgs(cobra.MaximumNArgs(1)),
		ValidArgs: cni.Known(),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return c.uninstallCNI(cmd.Context(), name, f)
		},
	}
	flags := cmd.Flags()
	env.AddOutput(flags, &f.output, "name")
	env.AddDryRun(flags, &f.dryRun,
		"none, client or server: show exactly the objects that would be deleted; with --clean-nodes, server also looks at hosts")
	flags.BoolVarP(&f.yes, "yes", "y", false, "Do not ask for confirmation")
	flags.BoolVar(&f.withPods, "with-pods", false, "Continue although pods run in the network: they lose it")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "How long the part in the API may take; 0 means no limit")
	f.add(flags)
	return cmd
}

func (c commands) uninstallCNI(ctx context.Context, name string, f uninstallFlags) error {
	var err error
	if f.mode, err = env.ParseDryRun(f.dryRun); err != nil {
		return err
	}
	if err := errors.Join(view.CheckFormat(f.output, "name"), f.validate()); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	within, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	store := helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")}
	u, err := c.decideUninstall(within, client, store, name, f)
	if err != nil {
		return env.NothingChanged(err)
	}
	if err := c.runUninstall(within, client, store, u, f); err != nil || !f.cleanNodes {
		return err
	}
	return c.cleanNodes(ctx, u, f)
}

// releases are what an uninstallation wants of Helm.
type releases interface {
	release.Store
	release.Remover
}

func (c commands) decideUninstall(
	ctx context.Context, client kubernetes.Interface, store releases, name string, f uninstallFlags,
) (uninstall.Uninstallation, error) {
	survey, err := cni.Survey(ctx, client, store)
	if err != nil {
		return uninstall.Uninstallation{}, err
	}
	network, err := uninstall.Choose(survey, name)
	if err != nil {
		return uninstall.Uninstallation{}, err
	}
	seen, err := uninstall.Survey(ctx, client, store, survey, network)
	if err != nil {
		return uninstall.Uninstallation{}, err
	}
	u, err := uninstall.Decide(seen, f.withPods)
	if err != nil {
		return u, err
	}
	return u, uninstall.Allowed(ctx, client, u)
}

// runUninstall shows, asks, does and tells.
func (c commands) runUninstall(
	ctx context.Context, client kubernetes.Interface, store release.Remover, u uninstall.Uninstallation, f uninstallFlags,
) error {
	if u.Nothing() {
		if f.cleanNodes && f.mode == env.DryRunNone && !f.yes {
			if err := c.Confirm(fmt.Sprintf("This removes what the network %s has left on all hosts.", u.CNI), u.CNI); err != nil {
				return err
			}
		}
		return c.tellUninstall(f, u, "not found (nothing to do)")
	}
	recipe := uninstall.Recipe(client, store, u)
	if err := view.Uninstallation(c.ErrSheet(), u); err != nil {
		return err
	}
	c.ShowPlan(recipe, nil)
	if f.mode != env.DryRunNone {
		return c.tellUninstall(f, u, "would be uninstalled (dry run: nothing was changed)")
	}
	if !f.yes {
		what := fmt.Sprintf("This removes the network %s from the cluster%s.", u.CNI, text.Choose(f.cleanNodes, " and from all hosts", ""))
		if err := c.Confirm(what, u.CNI); err != nil {
			return err
		}
	}
	progress := c.Progress()
	_, err := recipe.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	if !f.cleanNodes {
		c.Say("What stays on each host, and how to remove it:")
		if err := view.OnHosts(c.ErrSheet(), u); err != nil {
			return err
		}
	}
	return c.tellUninstall(f, u, "uninstalled")
}

// tellUninstall prints the result; with hosts to be cleaned theirs is printed at the end.
func (c commands) tellUninstall(f uninstallFlags, u uninstall.Uninstallation, result string) error {
	switch {
	case f.cleanNodes:
		c.Say("cni/%s %s", u.CNI, result)
		return nil
	case f.output == "name":
		return c.Names("cni", u.CNI)
	}
	return c.Print(f.output, view.Of("NetworkRemoval", struct {
		uninstall.Uninstallation
		Result string `json:"result"`
	}{u, result}), func(s *view.Sheet) error { return s.Line("cni/%s %s", view.Name(u.CNI), result) })
}
