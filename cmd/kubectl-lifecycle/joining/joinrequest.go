// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"errors"
	"fmt"

	"k8s.io/cluster-bootstrap/token/util"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/marks"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// request turns the flags into what is asked for; every error is one of usage.
func (f *joinFlags) request() (bootstrap.Request, env.DryRun, error) {
	mode, err := env.ParseDryRun(f.dryRun)
	if err != nil {
		return bootstrap.Request{}, mode, err
	}
	r := bootstrap.Request{TTL: f.ttl, Description: f.description, DryRun: mode == env.DryRunServer}
	if f.token != "" {
		if r.Token, err = bootstrap.Parse(f.token); err != nil {
			return bootstrap.Request{}, mode, err
		}
	}
	if r.Description == "" {
		r.Description = "kubectl lifecycle join by " + env.Who()
	}
	if err := f.contradiction(mode); err != nil {
		return bootstrap.Request{}, mode, plan.As(plan.Misused, plan.Hint(err, "see 'kubectl lifecycle join --help'"))
	}
	return r, mode, errors.Join(r.Validate(), f.command.Validate(), view.CheckFormat(f.output, "command", "script", "cloud-init"))
}

// contradiction is the error of flags that do not go together.
func (f *joinFlags) contradiction(mode env.DryRun) error {
	bySSH := len(f.prep.ssh) > 0
	switch {
	case f.wait && mode != env.DryRunNone:
		return errors.New("--wait cannot be combined with --dry-run")
	case f.timeout < 0:
		return fmt.Errorf("--timeout must not be negative, got %s", f.timeout)
	case f.timeout > 0 && !f.wait && !bySSH:
		return errors.New("--timeout is for --wait and --ssh")
	case len(f.roles)+len(f.labels)+len(f.taints) > 0 && !f.wait && !bySSH:
		return errors.New("--role, --labels and --taints are for a node that is followed: add --wait or --ssh")
	case len(f.prep.ssh) > 1 && f.command.NodeName != "":
		return errors.New("--node-name is for one host")
	}
	if err := f.contradictionOfSSH(mode); err != nil {
		return err
	}
	return f.contradictionOfControlPlane()
}

func (f *joinFlags) contradictionOfSSH(mode env.DryRun) error {
	bySSH := len(f.prep.ssh) > 0
	switch {
	case bySSH && (f.token != "" || mode != env.DryRunNone):
		return errors.New("--ssh makes a token for each host; it cannot be combined with --bootstrap-token or --dry-run (see: prep --ssh)")
	case bySSH && scripted(f.output):
		return fmt.Errorf("--ssh joins the host itself, and -o %s is for one that nothing reaches: leave one of them out", f.output)
	case !bySSH && f.prep.packages.install:
		return errors.New("--install is for --ssh")
	case !bySSH && (f.prep.hostname != "" || f.prep.timeZone != ""):
		return errors.New("--hostname and --time-zone are for --ssh")
	}
	return nil
}

// marks are what the node gets once it is Ready.
func (f *joinFlags) marks() (marks.Marks, error) { return marks.Parse(f.roles, f.labels, f.taints) }

func (f *joinFlags) contradictionOfControlPlane() error {
	if _, err := f.marks(); err != nil {
		return err
	}
	switch {
	case f.controlPlane && scripted(f.output):
		return fmt.Errorf("-o %s is for workers: user data with a token and the key to the certificates would give the cluster away; "+
			"use --control-plane --ssh [USER@]HOST, or the printed command", f.output)
	case f.controlPlane && util.IsValidBootstrapTokenID(f.token):
		return errors.New("--control-plane needs a token of its own; it cannot be combined with the id of an existing one")
	case f.controlPlane && f.ttl > certificates.MaxTTL:
		return fmt.Errorf("the certificates of a control plane stay in the cluster for %s at most; choose a shorter --ttl", certificates.MaxTTL)
	}
	return nil
}
