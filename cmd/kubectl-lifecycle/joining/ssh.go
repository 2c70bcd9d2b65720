// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newcontrolplane"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/arrival"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
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
	another another
	order   prep.Order
	flags   joinFlags
	host    sshcarrier.Host
	// result is what becomes of it.
	result *sshJoined
	// token and key are for this host alone; the key counts for a control plane.
	token bootstrap.Token
	key   certificates.Key
	// there is what the host has answered; underway says that kubeadm may be joining it.
	there    prep.Joined
	underway bool
	// isNode says that the host is, or was, a node before anything was given to it.
	isNode bool
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
func (c commands) joinBySSH(ctx context.Context, another *another, f joinFlags) error {
	hosts, err := f.prep.hosts()
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	wanted, err := newhost.Wanted(ctx, another.cluster.Client)
	if err != nil {
		return env.NothingChanged(err)
	}
	f.prep.yes, f.prep.controlPlane = true, f.controlPlane
	wanted.Ignored = f.command.IgnorePreflightErrors
	if f.controlPlane {
		f.prep.maxParallel = 1 // etcd takes one new member at a time
	}
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
		j := sshJoin{key: certificates.NewKey(), commands: c, another: *another, order: order, flags: f, host: hosts[name], result: results[name]}
		_, err := j.recipe().Run(ctx, progress)
		return err
	}, func(name string, err error) { results[name].Error = err.Error() })
	progress.Close()
	return errors.Join(c.tellSSHJoined(f, results), err)
}

// recipe joins the host: a token for it alone, the host's own work, the wait, and the
// end of the token. The certificates of a control plane lie in the cluster until then.
func (j *sshJoin) recipe() plan.Plan {
	name := j.host.Destination
	steps := []plan.Step{
		{ID: name + "/token", Title: "Make a bootstrap token for " + name, Do: j.makeToken, Undo: j.unless(func(ctx context.Context) error {
			return j.revoke(ctx, j.another.cluster.Client, j.token)
		})},
	}
	if j.another.choice != nil {
		steps = append(steps, plan.Step{ID: name + "/look", Title: "Look at " + name, Do: j.look})
	}
	for _, s := range j.another.shareStep(name+"/",
		func() newcontrolplane.Offer { return newcontrolplane.Offer{Token: j.token, Key: j.key} }) {
		share := s.Do
		s.Do = func(ctx context.Context, report plan.Report) error {
			if j.isNode {
				report("not needed: %s is a node already, or was one", name)
				return nil
			}
			return share(ctx, report)
		}
		s.Undo = j.unless(j.another.withdraw)
		steps = append(steps, s)
	}
	steps = append(steps,
		plan.Step{ID: name + "/join", Title: "Prepare and join " + name, Do: j.joinHost},
		plan.Step{ID: name + "/ready", Title: "Wait until the node of " + name + " is Ready", Do: j.awaitReady})
	steps = append(steps, j.another.followSteps(name+"/", &j.there.Node)...)
	return plan.Plan{Title: "Join " + name, Steps: append(steps,
		plan.Step{ID: name + "/revoke", Title: "Revoke the token of " + name, Do: func(ctx context.Context, _ plan.Report) error {
			j.result.Result = map[bool]string{true: "already a node", false: "joined"}[j.there.Already]
			return j.revoke(ctx, j.another.cluster.Client, j.token)
		}})}
}

// purpose is what the token of a host is made for.
func (j *sshJoin) purpose() string {
	return "join of " + j.host.Destination + " by ssh (kubectl lifecycle), by " + env.Who()
}

// unless keeps what kubeadm on the host may go on with; it ends with the token.
func (j *sshJoin) unless(undo func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if j.underway {
			return plan.ErrKept
		}
		return undo(ctx)
	}
}

func (j *sshJoin) makeToken(ctx context.Context, report plan.Report) (err error) {
	j.token, err = bootstrap.Mint(ctx, j.another.cluster.Client,
		bootstrap.Request{TTL: sshTTL, Description: j.purpose()})
	if err != nil {
		return env.NothingChanged(err)
	}
	return bootstrap.WaitSigned(ctx, j.another.cluster.Client, j.token, report)
}

// look asks a host that is to become a control plane what it is, before it is given the
// key to the cluster's authorities: one that says that it is, or was, a node gets none,
// and is only asked to join again. That guards against a wrong address, not against a
// host that lies. Without the key it can become a worker at most, which is named.
func (j *sshJoin) look(ctx context.Context, report plan.Report) error {
	order := j.order
	order.Apply, order.Install = false, nil
	outcome, err := newhost.Prepare(ctx, j.host, order, report)
	if err != nil {
		return err
	}
	j.isNode = slices.ContainsFunc(outcome.Report.Findings, func(f prep.Finding) bool {
		return f.ID == prep.EarlierCluster && f.Severity == prep.Blocks
	})
	return nil
}

// joinHost has the program on the host prepare it and run kubeadm.
func (j *sshJoin) joinHost(ctx context.Context, report plan.Report) (err error) {
	target := newhost.Target{
		Cluster: j.another.about, Token: j.token, NodeName: j.flags.command.NodeName, CRISocket: j.flags.command.CRISocket,
		IgnorePreflightErrors: j.flags.command.IgnorePreflightErrors,
	}
	if j.another.choice != nil && !j.isNode {
		target.Key = j.key
	}
	j.there, err = newhost.Join(ctx, j.host, j.order, target, report)
	j.result.Node, j.result.Outcome = j.there.Node, j.there.Outcome
	j.underway = begun(j.there, err)
	switch {
	case err != nil:
	case j.there.Blocked:
		j.result.Result = "blocked"
		err = blockedBy(j.there.Outcome, "see what fixes each: kubectl lifecycle prep --ssh "+text.Quote(j.host.Destination))
	case j.there.Failed != "":
		j.result.Result = "refused"
		name := j.host.Destination
		err = plan.As(plan.Broken, plan.Hint(fmt.Errorf("%s: %s", name, text.Block(j.there.Failed)), "%s", wire.Advice(name, j.there.WayOut)))
	}
	return err
}

// begun reports whether kubeadm may have begun on a host, by what that has answered: its
// token is needed then.
func begun(there prep.Joined, err error) bool {
	if err != nil {
		return plan.ClassOf(err) != plan.Refused
	}
	return !there.Blocked && (there.Failed == "" || there.Begun)
}

func (j *sshJoin) awaitReady(ctx context.Context, report plan.Report) error {
	client := j.another.cluster.Client
	if j.there.Already {
		// An earlier call may have ended before it could revoke the token of this host.
		if err := bootstrap.RevokeDescribed(ctx, client, j.purpose(), j.token); err != nil {
			return err
		}
		return newhost.AwaitReady(ctx, client, j.there.Node, report)
	}
	host, err := arrival.Follow(ctx, client, arrival.Request{Token: j.token, NodeName: j.there.Node, Note: cordonedBy}, report)
	j.underway = mayCome(host, err)
	return err
}

// blockedBy is the error of a host that lacks what nothing here can mend.
func blockedBy(outcome prep.Outcome, hint string) error {
	var lacks []string
	for _, f := range outcome.Report.Findings {
		if f.Severity == prep.Blocks {
			lacks = append(lacks, f.ID+": "+f.Text)
		}
	}
	for _, id := range outcome.Report.Doubtful {
		lacks = append(lacks, id+" could not be checked")
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("the host cannot become a node as it is:\n  %s", strings.Join(lacks, "\n  ")), "%s", hint))
}

// tellSSHJoined writes the table.
func (c commands) tellSSHJoined(f joinFlags, results map[string]*sshJoined) error {
	var all []sshJoined
	for _, name := range f.prep.ssh {
		all = append(all, *results[name])
	}
	return c.Print(f.output, view.Of("HostJoin", all), func(s *view.Sheet) error {
		rows := [][]string{{"HOST", "NODE", "RESULT", "CHANGES"}}
		for _, r := range all {
			rows = append(rows, []string{r.Host, r.Node, r.Result, fmt.Sprint(len(r.Outcome.Made))})
		}
		return s.Table(rows)
	})
}
