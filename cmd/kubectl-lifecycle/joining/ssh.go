// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// sshTTL is how long the token of a host lives that is joined by ssh: it is revoked
// when the node is Ready.
const sshTTL = 15 * time.Minute

// sshJoin is one host on its way into the cluster.
type sshJoin struct {
	commands
	client  kubernetes.Interface
	cluster join.Cluster
	order   prep.Order
	flags   joinFlags
	host    sshcarrier.Host
	// result is what becomes of it.
	result *sshJoined
}

// sshJoined is a row of the result.
type sshJoined struct {
	Host string `json:"host"`
	Node string `json:"node,omitempty"`
	// Result is "joined", "already a node", "blocked" or "failed".
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
	// Outcome is what the host lacks, after what was mended.
	Outcome prep.Outcome `json:"outcome"`
}

// joinBySSH prepares and joins each host of --ssh, some at a time.
func (c commands) joinBySSH(ctx context.Context, client kubernetes.Interface, cluster join.Cluster, f joinFlags) error {
	hosts, err := f.prep.hosts()
	if err != nil {
		return err
	}
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	wanted, err := newhost.Wanted(ctx, client)
	if err != nil {
		return env.NothingChanged(err)
	}
	f.prep.yes = true
	wanted.Ignored = f.command.IgnorePreflightErrors
	order, err := f.prep.order(wanted)
	if err != nil {
		return err
	}
	results := map[string]*sshJoined{}
	for name := range hosts {
		results[name] = &sshJoined{Host: name, Result: "failed"}
	}
	progress := c.Progress()
	err = each(ctx, f.prep, func(ctx context.Context, name string) error {
		j := sshJoin{commands: c, client: client, cluster: cluster, order: order, flags: f, host: hosts[name], result: results[name]}
		_, err := j.recipe().Run(ctx, progress)
		return err
	}, func(name string, err error) { results[name].Error = err.Error() })
	progress.Close()
	return errors.Join(c.tellSSHJoined(f, results), err)
}

// recipe is what is done for one host.
func (j sshJoin) recipe() plan.Plan {
	name := j.host.Destination
	var token bootstrap.Token
	var there prep.Joined
	underway := false
	return plan.Plan{Title: "Join " + name, Steps: []plan.Step{
		{ID: name + "/token", Title: "Make a bootstrap token for " + name, Do: func(ctx context.Context, report plan.Report) (err error) {
			token, err = bootstrap.Mint(ctx, j.client,
				bootstrap.Request{TTL: sshTTL, Description: "kubectl lifecycle (join by ssh), by " + env.Who()})
			if err != nil {
				return env.NothingChanged(err)
			}
			return bootstrap.WaitSigned(ctx, j.client, token, report)
		}, Undo: func(ctx context.Context) error {
			if underway {
				return plan.ErrKept // kubeadm on the host may go on with it; it expires by itself
			}
			return j.revoke(ctx, j.client, token)
		}},
		{ID: name + "/join", Title: "Prepare and join " + name, Do: func(ctx context.Context, report plan.Report) (err error) {
			there, err = newhost.Join(ctx, j.host, j.order, newhost.Target{
				Cluster: j.cluster, Token: token, NodeName: j.flags.command.NodeName, CRISocket: j.flags.command.CRISocket,
				IgnorePreflightErrors: j.flags.command.IgnorePreflightErrors,
			}, report)
			j.result.Node, j.result.Outcome = there.Node, there.Outcome
			underway = begun(there, err)
			switch {
			case err != nil:
			case there.Blocked:
				j.result.Result = "blocked"
				err = j.blocked(there)
			case there.Refused != "":
				j.result.Result = "refused"
				err = plan.As(plan.Broken, plan.Hint(fmt.Errorf("%s: %s", name, text.Block(there.Refused)), "%s", wire.Advice(name, there.WayOut)))
			}
			return err
		}},
		{ID: name + "/ready", Title: "Wait until the node of " + name + " is Ready",
			Do: func(ctx context.Context, report plan.Report) error {
				if there.Already {
					return newhost.AwaitReady(ctx, j.client, there.Node, report)
				}
				host, err := arrival.Follow(ctx, j.client, arrival.Request{Token: token, NodeName: there.Node, Note: cordonedBy}, report)
				underway = mayCome(host, err)
				return err
			}},
		{ID: name + "/revoke", Title: "Revoke the token of " + name, Do: func(ctx context.Context, _ plan.Report) error {
			j.result.Result = map[bool]string{true: "already a node", false: "joined"}[there.Already]
			return j.revoke(ctx, j.client, token)
		}},
	}}
}

// begun reports whether kubeadm may have begun on a host, by what that has answered: its
// token is needed then.
func begun(there prep.Joined, err error) bool {
	if err != nil {
		return plan.ClassOf(err) != plan.Refused
	}
	return !there.Blocked && there.Refused == ""
}

// blocked is the error of a host that lacks what nothing here can mend.
func (j sshJoin) blocked(there prep.Joined) error {
	var lacks []string
	for _, f := range there.Outcome.Report.Findings {
		if f.Severity == prep.Blocks {
			lacks = append(lacks, f.ID+": "+f.Text)
		}
	}
	for _, id := range there.Outcome.Report.Doubtful {
		lacks = append(lacks, id+" could not be checked")
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("the host cannot become a node as it is:\n  %s", strings.Join(lacks, "\n  ")),
		"see what mends each: kubectl lifecycle prep --ssh %s", text.Quote(j.host.Destination)))
}

// tellSSHJoined writes the table.
func (c commands) tellSSHJoined(f joinFlags, results map[string]*sshJoined) error {
	var all []sshJoined
	for _, name := range f.prep.ssh {
		all = append(all, *results[name])
	}
	return c.Print(f.output, all, func(s *view.Sheet) error {
		rows := [][]string{{"HOST", "NODE", "RESULT", "CHANGES"}}
		for _, r := range all {
			rows = append(rows, []string{r.Host, r.Node, r.Result, fmt.Sprint(len(r.Outcome.Made))})
		}
		return s.Table(rows)
	})
}
