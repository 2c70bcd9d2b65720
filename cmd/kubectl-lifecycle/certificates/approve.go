// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/servingcerts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const approveLong = `Approve the requests of kubelets for serving certificates that are for their own node.

Kubernetes does not approve serving certificates of kubelets. This command approves a
request if the kubelet of the node itself made it, in its own name and for a server
certificate, and if each name and address in it is the host name or an internal address
of its Node, and of no other Node. A kubelet writes the addresses of its Node itself, so
nothing is approved that means the cluster: the endpoint and the names of the API
servers, addresses of Services, of load balancers and of pods, localhost. The only DNS
name that is approved is the Node's own. If any of this cannot be read, nothing is
approved. All other requests are listed with the reason, and left as they are.

The exit code is 0 if all pending requests were approved, and 3 if some were not.`

// lookEvery is how often --watch looks for requests.
const lookEvery = 5 * time.Second

// approveFlags are the flags of certs approve.
type approveFlags struct {
	output string
	dryRun string
	watch  bool
}

func newApproveCommand(c commands) *cobra.Command {
	var f approveFlags
	cmd := &cobra.Command{
		Use:     "approve",
		Short:   "Approve serving certificates of kubelets",
		Long:    approveLong,
		Example: "  kubectl lifecycle certs approve --dry-run\n  kubectl lifecycle certs approve\n  kubectl lifecycle certs approve --watch",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.approve(cmd.Context(), f) },
	}
	env.AddOutput(cmd.Flags(), &f.output, "")
	env.AddDryRun(cmd.Flags(), &f.dryRun, "client or server: decide and show it, and approve nothing")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "Keep approving requests as they come, until Ctrl-C")
	return cmd
}

func (c commands) approve(ctx context.Context, f approveFlags) error {
	dry, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return err
	}
	if err := view.CheckFormat(f.output); err != nil {
		return err
	}
	cluster, err := c.Cluster(env.RunnerFlags{})
	if err != nil {
		return err
	}
	if f.watch {
		if dry != env.DryRunNone || f.output != "" {
			return env.Misused("--watch cannot be combined with --dry-run or --output")
		}
		return c.watchRequests(ctx, cluster)
	}
	all, err := decideRequests(ctx, cluster, dry == env.DryRunNone)
	if len(all) == 0 && err != nil {
		return env.NothingChanged(err)
	}
	if told := c.Print(f.output, view.Of("CertificateRequest", all), func(s *view.Sheet) error { return view.Requests(s, all) }); told != nil {
		return told
	}
	if err != nil {
		return err
	}
	return unapproved(all)
}

// decideRequests reads what waits, and approves what may be.
func decideRequests(ctx context.Context, cluster runner.Cluster, approve bool) ([]servingcerts.Request, error) {
	all, err := servingcerts.Survey(ctx, cluster)
	if err != nil || !approve {
		return all, err
	}
	for i := range all {
		if all[i].Why != "" {
			continue
		}
		if err := servingcerts.Approve(ctx, cluster.Client, all[i], env.Who()); err != nil {
			return all, err
		}
		all[i].Approved = true
	}
	return all, nil
}

// unapproved is the error, of class Found, of requests that are left; nil if there are none.
func unapproved(all []servingcerts.Request) error {
	var left []string
	for _, r := range all {
		if r.Why != "" {
			left = append(left, r.Name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("%s not approved", text.Count(len(left), "request")),
		"look at each, and decide: kubectl describe csr; kubectl certificate approve, or deny"))
}

// watchRequests approves what comes, and says each decision once. An API server that does
// not answer is asked again.
func (c commands) watchRequests(ctx context.Context, cluster runner.Cluster) error {
	c.Say("waiting for requests of kubelets; Ctrl-C ends it")
	said := map[string]string{}
	trouble := ""
	for {
		all, err := decideRequests(ctx, cluster, true)
		if plan.ClassOf(err) == plan.Refused {
			return err
		}
		if err != nil && ctx.Err() == nil && err.Error() != trouble {
			trouble = err.Error()
			c.Warn("%s", trouble)
		}
		for _, r := range all {
			decision := "approved"
			if !r.Approved {
				decision = "not approved: " + r.Why
			}
			if said[r.Name] != decision && (r.Approved || r.Why != "") {
				said[r.Name] = decision
				c.Say("%s of node %s, for %s: %s", r.Name, r.Node, strings.Join(r.Names, ", "), decision)
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}
