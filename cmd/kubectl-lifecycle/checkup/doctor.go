// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/doctor"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const doctorLong = `Check the cluster. Each finding has an id, its evidence, and how to fix it ('explain
ID' says more).

It reads the API only, and changes nothing; no pod is started on a host: nodes and why
one is not Ready, versions, the control plane and etcd as far as the API tells, the pod
network (as 'cni status'), certificates (as 'certs check'), bootstrap tokens, and what
runs lock or have left behind. A part that could not be read is named, and not reported
as ok.

The exit code is 0 if nothing was found but notes, and 3 otherwise.`

func newDoctorCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Check the cluster, and say how to fix what is wrong",
		Long:    doctorLong,
		Example: "  kubectl lifecycle doctor\n  kubectl lifecycle doctor -o name\n  kubectl lifecycle doctor -o json",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd.Context(), output) },
	}
	env.AddOutput(cmd.Flags(), &output, "wide, name (the ids)")
	return cmd
}

func (c commands) doctor(ctx context.Context, output string) error {
	if err := view.CheckFormat(output, "wide", "name"); err != nil {
		return err
	}
	cluster, err := c.Cluster(env.RunnerFlags{})
	if err != nil {
		return err
	}
	var seen doctor.Seen
	progress := c.Progress()
	_, err = plan.Plan{Title: "Look at the cluster", Steps: []plan.Step{{ID: "read", Title: "Read what the API tells of the cluster",
		Do: func(ctx context.Context, report plan.Report) (err error) {
			seen, err = doctor.Read(ctx, cluster, helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")}, report)
			return err
		}}}}.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return env.NothingChanged(err)
	}
	return c.tell(output, doctor.Examine(seen))
}

// tell writes a report; the error says that something is to be looked at.
func (c commands) tell(output string, r doctor.Report) error {
	wide := output == "wide"
	if wide {
		output = ""
	}
	var err error
	if output == "name" {
		var ids []string
		for _, f := range r.Findings {
			ids = append(ids, f.ID)
		}
		err = c.IDs(ids...)
	} else {
		err = c.Print(output, view.Of("Checkup", r), func(s *view.Sheet) error { return screen(s, r, wide) })
	}
	return errors.Join(err, toDo(r))
}

// toDo is the error, of class Found, of a cluster at which something is to be looked; nil
// for one that is well.
func toDo(r doctor.Report) error {
	if r.Healthy {
		return nil
	}
	bad := 0
	for _, f := range r.Findings {
		if f.Severity != finding.Note {
			bad++
		}
	}
	if bad > 0 {
		return plan.As(plan.Found, plan.Hint(fmt.Errorf("the cluster has %s", text.Count(bad, "finding")),
			"see why, and how to fix it: kubectl lifecycle explain %s",
			text.Quote(r.Findings[0].ID)))
	}
	var unread []string
	for _, p := range r.Parts {
		if !p.Read {
			unread = append(unread, p.Name)
		}
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("nothing was found, but these parts could not be read: %s", strings.Join(unread, ", ")),
		"see the reason in the table; docs/rbac.yaml has the permissions"))
}
