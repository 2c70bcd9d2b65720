// SPDX-License-Identifier: Apache-2.0

package certificates

import (
	"context"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/ownconfig"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// own is the name of a person's own kubeconfig among the certificates.
const own = "kubeconfig"

// renewOwn renews the certificate in the kubeconfig that is used: one entry of one file.
func (c commands) renewOwn(ctx context.Context, dry env.DryRun, f renewFlags) error {
	if *c.Flags.ClusterName+*c.Flags.AuthInfoName+*c.Flags.APIServer != "" {
		return env.Misused("the certificate of a context's user is renewed by that context's cluster: leave --cluster, --user and --server out")
	}
	client, err := c.Client() // first, since it says so where there is no kubeconfig
	if err != nil {
		return err
	}
	entry, err := ownconfig.Find(c.Flags.ToRawKubeConfigLoader(), *c.Flags.Context)
	if err != nil {
		return err
	}
	var certificate, key []byte
	kept := ""
	p := plan.Plan{Title: "Renew the certificate of user " + entry.User + " in " + entry.File, Steps: []plan.Step{
		{ID: "issue", Title: "Have the cluster issue another one for " + entry.Certificate.Subject.String(),
			Do: func(ctx context.Context, _ plan.Report) (err error) {
				certificate, key, err = entry.Renew(ctx, client, env.Who())
				return err
			}},
		{ID: "save", Title: "Put it into that entry, and keep the file as it was", Do: func(context.Context, plan.Report) (err error) {
			kept, err = entry.Save(certificate, key, time.Now().UTC().Format("20060102T150405Z"))
			return err
		}},
	}, Notes: []string{"the earlier certificate stays valid until it ends, on " + entry.Certificate.NotAfter.UTC().Format(time.DateOnly)}}
	c.ShowPlan(p, nil)
	if dry != env.DryRunNone {
		return nil
	}
	if !f.yes {
		if err := c.Confirm("Renew it?", "renew"); err != nil {
			return err
		}
	}
	progress := c.Progress()
	defer progress.Close()
	if _, err := p.Run(ctx, progress); err != nil {
		return env.NothingChanged(err)
	}
	return c.Print("", nil, func(s *view.Sheet) error { return s.Line("%s: renewed; as it was before: %s", entry.File, kept) })
}
