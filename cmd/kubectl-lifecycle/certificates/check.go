// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/certs"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/certcheck"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const checkLong = `Show when the certificates of the cluster expire, one in a line, and what is wrong with
them.

It reads the API, opens TLS connections, and changes nothing. It looks at your kubeconfig,
the authorities that the cluster publishes, what each API server presents, what each
kubelet reports of its own certificates, the authorities of webhooks and APIServices, and
pending or denied requests of kubelets. What could not be seen is listed.

--deep also asks the hosts of the control planes, and --all-nodes those of the workers,
each through a pod that is gone afterwards: all certificates below /etc/kubernetes/pki and
in kubeconfigs, the kubelet's, etcd's; whether each key matches, who may read it, what is
the same on all control planes, and whether each server uses what is on its disk. Nothing
is changed there, and no private key leaves a host.

Kubelets are asked through the API server with 'get nodes/proxy'; without it, with
'get nodes/metrics' at their own addresses.

The exit code is 0 if there is nothing to do, and 3 if a certificate expires within --warn,
has expired, is wrong, or waits for approval.`

// checkFlags are the flags of certs check.
type checkFlags struct {
	output         string
	deep, allNodes bool
	warn, critical lifetime
	runner         env.RunnerFlags
}

func newCheckCommand(c commands) *cobra.Command {
	f := checkFlags{warn: lifetime(30 * day), critical: lifetime(7 * day)}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Show when certificates expire, and what is wrong with them",
		Long:  checkLong,
		Example: "  kubectl lifecycle certs check\n  kubectl lifecycle certs check --deep\n  kubectl lifecycle certs check --warn 60d -o json\n" +
			"  kubectl lifecycle certs check -o prom > /var/lib/node_exporter/certs.prom",

		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.check(cmd.Context(), f) },
	}
	env.AddOutput(cmd.Flags(), &f.output, "wide, prom (Prometheus' text format)")
	addLimits(cmd.Flags(), &f)
	cmd.Flags().BoolVar(&f.deep, "deep", false, "Ask the hosts of the control planes, too")
	cmd.Flags().BoolVar(&f.allNodes, "all-nodes", false, "With --deep: ask the hosts of the workers, too")
	f.runner.Add(cmd.Flags())
	return cmd
}

func addLimits(flags *pflag.FlagSet, f *checkFlags) {
	flags.Var(&f.warn, "warn", "Report certificates that expire within this time, such as 30d or 12h")
	flags.Var(&f.critical, "critical", "Report them as critical if they expire within this time")
}

func (c commands) check(ctx context.Context, f checkFlags) error {
	if err := view.CheckFormat(f.output, "wide", "prom"); err != nil {
		return err
	}
	if f.critical > f.warn {
		return env.Misused("--critical may not be longer than --warn")
	}
	if f.allNodes && !f.deep {
		return env.Misused("--all-nodes is for --deep")
	}
	found, err := c.survey(ctx, f)
	if err != nil {
		return env.NothingChanged(err)
	}
	certs.Judge(found.Rows, time.Now(), certs.Limits{Warn: time.Duration(f.warn), Critical: time.Duration(f.critical)})
	if err := c.tell(f.output, found.Result); err != nil {
		return err
	}
	if found.Unreachable != nil && len(found.Bad()) == 0 {
		return env.NothingChanged(found.Unreachable)
	}
	return toDo(found.Result)
}

// survey reads the API and, where that is asked for, the hosts.
func (c commands) survey(ctx context.Context, f checkFlags) (found certcheck.Found, err error) {
	cluster, err := c.Cluster(f.runner)
	if err != nil {
		return found, err
	}
	steps := []plan.Step{{
		ID: "api", Title: "Read what the API and its servers tell of certificates",
		Do: func(ctx context.Context, report plan.Report) error {
			found = certcheck.Survey(ctx, cluster, report)
			return ctx.Err()
		},
	}}
	if f.deep {
		steps = append(steps, plan.Step{ID: "hosts", Title: "Ask hosts for their certificates",
			Needed: func(context.Context) (bool, error) { return found.Unreachable == nil, nil },
			Do: func(ctx context.Context, report plan.Report) error {
				nodes, err := certcheck.Choose(found.Nodes, f.allNodes)
				if err != nil {
					return err
				}
				return certcheck.Deep(ctx, cluster, &found, nodes, report)
			}})
	}
	progress := c.Progress()
	defer progress.Close()
	_, err = plan.Plan{Title: "Check certificates", Steps: steps}.Run(ctx, progress)
	return found, err
}

// tell writes the result.
func (c commands) tell(output string, result certs.Result) error {
	if output == "prom" {
		return c.Binary(metrics(result))
	}
	wide := output == "wide"
	if wide {
		output = ""
	}
	return c.Print(output, view.Of("CertificateCheck", result), func(s *view.Sheet) error { return view.Certificates(s, result, wide) })
}

// toDo is the error, of class Found, of certificates about which something is to be done;
// nil if there is none.
func toDo(result certs.Result) error {
	bad := result.Bad()
	for _, u := range result.Unseen {
		if u.Asked && len(bad) == 0 {
			return plan.As(plan.Found, plan.Hint(fmt.Errorf("%s was not seen: %s", u.What, u.Why), "fix that, and run the command again"))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	var names []string
	for _, r := range bad {
		names = append(names, strings.TrimSpace(r.Node+" "+r.Name)+" is "+string(r.Status))
	}
	return plan.As(plan.Found, plan.Hint(errors.New(text.Some(names)), "%s", wayOut(bad[0])))
}

// wayOut is what helps with a row.
func wayOut(r certs.Row) string {
	switch {
	case r.Request == certs.Pending:
		return "approve what is the node's own: kubectl lifecycle certs approve --dry-run"
	case r.Request == certs.Denied:
		return "see why: " + text.Command("kubectl", "describe", r.Where)
	case r.ManagedBy == certs.ByKubeadm:
		return "kubectl lifecycle certs renew all --dry-run"
	case r.Authority:
		return "see the column CA: what it has signed ends with it"
	}
	return "-o wide shows where it is"
}

const day = 24 * time.Hour

// lifetime is a duration that may be given in days.
type lifetime time.Duration

// String is the duration in days, if it is some whole ones.
func (l *lifetime) String() string {
	d := time.Duration(*l)
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// Set reads "30d", or what Go reads as a duration.
func (l *lifetime) Set(value string) error {
	if days, is := strings.CutSuffix(value, "d"); is {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errors.New("it is not a number of days")
		}
		*l = lifetime(time.Duration(n) * day)
		return nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return errors.New("it is not a duration: write 30d or 12h")
	}
	*l = lifetime(d)
	return nil
}

// Type names the value in the help.
func (l *lifetime) Type() string { return "time" }
