// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/certificates"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/checkup"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/completion"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/joining"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/network"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/nodes"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/overview"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/upgrading"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

const rootLong = `Take a kubeadm node through its whole life from your laptop, with nothing but a
kubeconfig: give the cluster a network, join a host, drain it, remove it and
leave the host as it was before it joined.

Exit codes: 0 done or nothing to do, 1 failed after changes began (safe to run
again), 2 wrong usage, 3 a check found something, 4 refused and nothing changed,
5 timed out waiting, 130 interrupted.`

// run is the whole program under its first name.
func run(ctx context.Context, streams genericiooptions.IOStreams, args []string) int {
	return runAs(ctx, env.Lifecycle, streams, args)
}

// runAs is the whole program but for the process around it: it returns the exit
// code.
func runAs(ctx context.Context, tool env.Tool, streams genericiooptions.IOStreams, args []string) int {
	e := env.New(streams, version)
	e.Tool = tool
	err := execute(ctx, e, args)
	if err == nil {
		return 0
	}
	e.TellError(err)
	return int(plan.ClassOf(err))
}

// execute runs the command that the arguments name.
func execute(ctx context.Context, e *env.Env, args []string) error {
	root := newRootCommand(e) //nolint:contextcheck // a command has it from ExecuteContext
	root.SetArgs(args)
	// Asked before the command runs: with --help, cobra would show the root's. What a
	// shell asks is no command yet.
	if _, _, err := root.Find(args); err != nil && !asksForCompletion(args) {
		return plan.As(plan.Misused, plan.Hint(err, "see 'kubectl lifecycle --help'"))
	}
	return plan.Stopped(ctx, root.ExecuteContext(ctx)) // Ctrl-C while the command only read
}

// asksForCompletion reports whether the arguments are what a shell asks.
func asksForCompletion(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

func newRootCommand(e *env.Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-lifecycle",
		Short:         "The whole life of a kubeadm node, from the laptop",
		Long:          rootLong,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lifecycle"},
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          overview.Command(e),
	}
	e.Attach(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return plan.As(plan.Misused, plan.Hint(err, "see '%s --help'", cmd.CommandPath()))
	})
	e.Flags.AddFlags(root.PersistentFlags())
	verbosity := root.PersistentFlags().IntP("v", "v", 0,
		fmt.Sprintf("Show what the client library logs, from 1 (little) to %d (every request and its headers)", maxVerbosity))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if *verbosity > maxVerbosity {
			e.Warn("-v %d is treated as -v %d: higher levels show the bodies of requests and answers, and with them bootstrap tokens and those "+
				"of ServiceAccounts", *verbosity, maxVerbosity)
		}
		return logVerbosity(min(*verbosity, maxVerbosity), e.Log())
	}
	root.PersistentFlags().StringVar(&e.Color, "color", "auto", "Colour the progress: auto, always or never (NO_COLOR is respected)")
	for _, family := range families() {
		root.AddGroup(&cobra.Group{ID: family.title, Title: family.title})
		for _, cmd := range family.commands(e) {
			cmd.GroupID = family.title
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(newVersionCommand(e), newOptionsCommand(e), completion.Command(e))
	root.InitDefaultHelpCmd()
	root.SetHelpFunc(helpOf(e))
	root.SetUsageFunc(func(cmd *cobra.Command) error { // of "help" with a word that is no command
		e.Say("See '%s --help'.", cmd.CommandPath())
		return nil
	})
	completion.Attach(root, e)
	e.Tool.Name(root)
	return root
}

// family is a package that has commands.
type family struct {
	title    string
	commands func(*env.Env) []*cobra.Command
}

// families are in the order of a cluster's life.
func families() []family {
	return []family{{"Cluster Commands", cluster},
		{"Network Commands", network.Commands}, {"Host Commands", joining.Commands}, {"Node Commands", nodes.Commands},
		{"Certificate Commands", certificates.Commands}}
}

// cluster lists the commands that are about the cluster as a whole.
func cluster(e *env.Env) []*cobra.Command {
	return append(checkup.Commands(e), upgrading.Commands(e)...)
}

// maxVerbosity is the last level on which client-go logs no body. From 8 on
// rest.Request logs those of requests and answers, whatever object they hold
// (client-go 0.37: rest/request.go, logBody); up to 7 headers, without the value
// of Authorization.
const maxVerbosity = 7

// logVerbosity lets the client library's log through from level 1 on. What a
// person has to know is said by the commands themselves; the library's own
// warnings about a watch that ended are not among it.
func logVerbosity(level int, out io.Writer) error {
	var flags flag.FlagSet
	klog.InitFlags(&flags)
	if level <= 0 {
		out = io.Discard
	}
	klog.SetOutput(out)
	for name, value := range map[string]string{"logtostderr": "false", "stderrthreshold": "FATAL", "v": strconv.Itoa(level)} {
		if err := flags.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}
