// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func newListCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the bootstrap tokens, and which of them are unusable",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.list(cmd.Context(), output) },
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	return cmd
}

func (c commands) list(ctx context.Context, output string) error {
	if err := view.CheckFormat(output, "name"); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	tokens, err := bootstrap.List(ctx, client)
	if err != nil {
		return env.NothingChanged(err)
	}
	if output == "name" {
		var ids []string
		for _, t := range tokens {
			ids = append(ids, t.ID)
		}
		return c.Names("token", ids...)
	}
	if len(tokens) == 0 && output == "" {
		c.Say("No bootstrap tokens found.")
		return nil
	}
	return c.Print(output, view.Of("BootstrapToken", tokens), func(s *view.Sheet) error { return s.Table(tokenRows(tokens, time.Now())) })
}

// tokenRows is the table of tokens.
func tokenRows(tokens []bootstrap.Listed, now time.Time) [][]string {
	rows := [][]string{{"TOKEN", "ENDS", "MADE BY", "DESCRIPTION", "STATUS"}}
	for _, t := range tokens {
		ends, by, status := "never", "kubectl lifecycle", "usable"
		if !t.Expires.IsZero() {
			ends = "in " + duration.HumanDuration(t.Expires.Sub(now))
			if t.Expires.Before(now) {
				ends = duration.HumanDuration(now.Sub(t.Expires)) + " ago"
			}
		}
		if t.Foreign {
			by = "another tool"
		}
		if t.Unfit != "" {
			status = t.Unfit
		}
		rows = append(rows, []string{t.ID, ends, by, t.Description, status})
	}
	return rows
}

func newRevokeCommand(c commands) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke TOKEN-ID...",
		Short: "Revoke bootstrap tokens: no host joins with them any more",
		Long: `Revoke bootstrap tokens by their ids (the six characters before the dot). Nodes that
have joined keep their own certificates. A token that another tool has made may be
on its way to a host: --yes revokes it all the same.`,
		Example: "  kubectl lifecycle join revoke abcdef",
		Args:    env.UsageArgs(cobra.MinimumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.revokeTokens(cmd.Context(), args, yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "Also revoke tokens that another tool has made")
	return cmd
}

// revokeTokens revokes all of them, or none: what it may not is found first.
func (c commands) revokeTokens(ctx context.Context, ids []string, yes bool) error {
	var tokens []bootstrap.Token
	for _, id := range ids {
		t, err := bootstrap.Parse(id)
		if err != nil { // what was given may be a part of a token: it is not shown
			return plan.As(plan.Misused, plan.Hint(errors.New("malformed id of a bootstrap token"),
				"an id is six characters of a-z and 0-9; see: kubectl lifecycle join list"))
		}
		if !t.IsReference() {
			return plan.As(plan.Misused, plan.Hint(errors.New("a whole token was given"), "give its id alone: the six characters before the dot"))
		}
		tokens = append(tokens, t)
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	known, err := bootstrap.List(ctx, client)
	if err != nil {
		return env.NothingChanged(err)
	}
	for _, t := range tokens {
		i := slices.IndexFunc(known, func(l bootstrap.Listed) bool { return l.ID == t.ID })
		switch {
		case i < 0:
			return plan.Refuse(fmt.Errorf("there is no bootstrap token %s", t.ID), "see: kubectl lifecycle join list")
		case known[i].Foreign && !yes:
			return plan.Refuse(fmt.Errorf("bootstrap token %s was made by another tool", t.ID),
				"a host may be about to use it; if not: add --yes")
		}
	}
	for _, t := range tokens {
		if err := bootstrap.Revoke(ctx, client, t); err != nil {
			return err
		}
		c.Say("token %s was revoked", t.ID)
	}
	return nil
}
