// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command lifecycle-node is the program that works on a host. The plugin
// streams it in; "enter" takes the delivery from standard input, and "work" is
// what the systemd unit runs. It needs no API server to work, only to report:
// "clean" is for a person on a host that has no cluster any more, "prep" on one that
// has none yet.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/certrenew"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostcommand"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/hostprep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/netprobe"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

func main() {
	if handled, code := host.Child(os.Args[1:]); handled {
		os.Exit(code)
	}
	_ = os.Setenv("PATH", searchPath(os.Getenv("PATH"))) // fails for a NUL only
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// Who pipes this into something that ends first must not end it in the middle.
	// It is caught, not ignored: programs that it starts would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(command(ctx, os.Args[1:]))
}

// searchPath is where programs of the host are looked for, by this one and by kubeadm: all
// places where distributions and installers put them, in the order of root's own PATH and
// of systemd's units, and then what it was given. sudo's secure_path often has no
// /usr/local/bin (kubernetes/minikube#5547), a runner pod and a login shell have others.
func searchPath(given string) string {
	dirs := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/bin"}
	for dir := range strings.SplitSeq(given, ":") {
		if filepath.IsAbs(dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return strings.Join(dirs, ":")
}

func command(ctx context.Context, args []string) int {
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	switch {
	case verb == "clean":
		return ended(cleanAlone(ctx, args[1:], os.Stdout))
	case verb == "prep":
		return ended(hostprep.Alone(ctx, args[1:], os.Stdout))
	case verb == "probe":
		return ended(netprobe.Run(ctx, os.Stdin, os.Stdout, args[1:]))
	case len(args) != 1:
		_ = text.Fprintf(os.Stderr, "%s\n%s", text.Safe(cleanUsage), text.Safe(hostprep.Usage))
		return 2
	}
	switch verb {
	case "enter":
		return enter(ctx, os.Stdin, os.Stdout, operations())
	case certrenew.Verb:
		return ended(certrenew.Run(ctx, os.Stdin, os.Stdout, lockForUnit))
	case hostcommand.Verb:
		return ended(hostcommand.Work(ctx, lockForUnit))
	case "work":
		return ended(work(ctx, operations()))
	}
	report.Complain("unknown command %s\n\n%s\n%s", text.Quote(verb), text.Safe(cleanUsage), text.Safe(hostprep.Usage))
	return 2
}

// ended says why it failed, and is the exit code of that.
func ended(err error) int {
	if err == nil {
		return 0
	}
	report.Complain("%s", report.WithHint(err))
	return int(plan.ClassOf(err))
}
