// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"

	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/joinscript"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
)

// scripted are the outputs that prepare the host, too.
func scripted(output string) bool { return output == "script" || output == "cloud-init" }

// readWanted reads what a script has to know.
func (f *joinFlags) readWanted(ctx context.Context, client kubernetes.Interface) (err error) {
	if scripted(f.output) {
		f.wanted, err = newhost.Wanted(ctx, client)
	}
	return err
}

// printScript writes a script, or user data that holds it, to stdout.
func (c commands) printScript(in joinscript.Input, output string) error {
	made := joinscript.Shell
	if output == "cloud-init" {
		made = joinscript.CloudInit
	}
	script, err := made(in)
	if err != nil {
		return err
	}
	return c.Binary([]byte(script))
}

// printJoin writes the command to stdout, or the script.
func (c commands) printJoin(cluster join.Cluster, token bootstrap.Token, f joinFlags) error {
	if scripted(f.output) {
		return c.printScript(joinscript.Input{Cluster: cluster, Token: token, Options: f.command, Wanted: f.wanted}, f.output)
	}
	format := f.output
	if format == "command" {
		format = ""
	}
	result := joined{Command: join.Command(cluster, token, f.command), Cluster: cluster, Token: token}
	return c.Print(format, view.Of("JoinCommand", result), func(s *view.Sheet) error { return s.Command("", result.Command) })
}

// rehearseJoin shows the command without a token that works.
func (c commands) rehearseJoin(ctx context.Context, client kubernetes.Interface, cluster join.Cluster, r bootstrap.Request,
	f joinFlags) error {
	if f.controlPlane {
		f.command.CertificateKey = "KEY"
	}
	if r.DryRun || r.Token.IsReference() {
		if _, err := bootstrap.Mint(ctx, client, r); err != nil {
			return env.NothingChanged(err)
		}
	}
	if err := c.printJoin(cluster, bootstrap.Placeholder(), f); err != nil {
		return err
	}
	placeholders := "the token above is a placeholder"
	if f.controlPlane {
		placeholders = "the token and the key above are placeholders"
	}
	c.Say("dry run: nothing was made; %s", placeholders)
	return nil
}
