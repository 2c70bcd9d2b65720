// SPDX-License-Identifier: Apache-2.0

package screentest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Now is when every screen of Still is shown.
func Now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

// longest is when a command is ended that does not end.
const longest = time.Hour

// Still shows something at one time, at which none goes by but what is waited for.
func Still(show func(*testing.T, *env.Env) error) func(*testing.T, *env.Env) error {
	return func(t *testing.T, e *env.Env) (err error) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			t.Helper()
			<-time.After(time.Until(Now()))
			err = show(t, e)
			<-time.After(time.Hour) // what the cluster does by itself comes to its end
		})
		return err
	}
}

// Family makes the commands of a package.
type Family func(*env.Env) []*cobra.Command

// Line is the screen of a command line; with gives it what it reads, and may be nil.
func (f Family) Line(name string, with func(*testing.T, *env.Env), args ...string) Screen {
	return Screen{Name: name, Show: Still(func(t *testing.T, e *env.Env) error {
		t.Helper()
		if with != nil {
			with(t, e)
		}
		root := &cobra.Command{Use: "kubectl-lifecycle", SilenceErrors: true, SilenceUsage: true,
			Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lifecycle"}}
		e.Attach(root)
		root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
			return plan.As(plan.Misused, plan.Hint(err, "see '%s --help'", cmd.CommandPath()))
		})
		e.Flags.AddFlags(root.PersistentFlags())
		root.AddCommand(f(e)...)
		root.SetArgs(args)
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		defer cancel()
		return root.ExecuteContext(ctx)
	})}
}

// Act is what a step of a plan does that is played.
type Act struct {
	// Says are its lines of progress, each after as long as the first takes.
	Says []string
	// Takes is how long it takes in all, Skip that it is not needed, Undone that it is undone
	// if a later one fails.
	Takes        time.Duration
	Skip, Undone bool
	// Do is done at its end, and Err how it ends.
	Do  func()
	Err error
}

// Played is a plan whose steps do what acts say of them, by their ids; one of which none is
// said is done at once.
func Played(p plan.Plan, acts map[string]Act) plan.Plan {
	p.Steps = slices.Clone(p.Steps)
	for i := range p.Steps {
		step := &p.Steps[i]
		act := acts[step.ID]
		step.Needed = func(context.Context) (bool, error) { return !act.Skip, nil }
		step.Do = func(_ context.Context, report plan.Report) error {
			pause := act.Takes / time.Duration(len(act.Says)+1)
			for _, line := range act.Says {
				<-time.After(pause)
				report("%s", line)
			}
			<-time.After(pause)
			if act.Do != nil {
				act.Do()
			}
			return act.Err
		}
		if step.Undo != nil {
			step.Undo = func(context.Context) error {
				if act.Undone {
					return nil
				}
				return plan.ErrKept
			}
		}
	}
	return p
}

// OnHost are the events of steps on a host, each of which takes as long: "title", or "-title"
// for one that is not needed, or "!title" for one that fails.
func OnHost(watch plan.Observer, host string, takes time.Duration, titles ...string) {
	for _, title := range titles {
		event := plan.Event{Host: host, Step: title, Title: title}
		mark := title[0]
		if mark == '-' || mark == '!' {
			event.Title = title[1:]
		}
		kinds := map[byte][]plan.Kind{'-': {plan.Skipped}, '!': {plan.Started, plan.Failed}}[mark]
		if kinds == nil {
			kinds = []plan.Kind{plan.Started, plan.Done}
		}
		for i, kind := range kinds {
			if i > 0 {
				<-time.After(takes)
			}
			event.Kind, event.Time = kind, time.Now()
			watch.Observe(event)
		}
	}
}
