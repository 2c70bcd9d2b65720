// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Within bounds a command by the value of its --timeout; 0 is no bound.
func Within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout > 0 {
		return context.WithTimeout(ctx, timeout)
	}
	return context.WithCancel(ctx)
}

// DryRun is the value of --dry-run.
type DryRun string

// The values of --dry-run, with kubectl's meanings.
const (
	DryRunNone   DryRun = "none"
	DryRunClient DryRun = "client"
	DryRunServer DryRun = "server"
)

// AddDryRun adds --dry-run; client and server say what each does.
func AddDryRun(flags *pflag.FlagSet, into *string, usage string) {
	flags.StringVar(into, "dry-run", string(DryRunNone), usage)
	flags.Lookup("dry-run").NoOptDefVal = string(DryRunClient)
}

// ParseDryRun checks the value of --dry-run.
func ParseDryRun(value string) (DryRun, error) {
	switch d := DryRun(value); d {
	case DryRunNone, DryRunClient, DryRunServer:
		return d, nil
	}
	return "", plan.As(plan.Misused, plan.Hint(fmt.Errorf("--dry-run must be none, client or server, not %q", value),
		"--dry-run alone means client: read the API only, and change nothing"))
}

// RunnerFlags are those of every command that works on a host.
type RunnerFlags struct {
	image string
}

// Add adds them to a command.
func (f *RunnerFlags) Add(flags *pflag.FlagSet) {
	flags.StringVar(&f.image, "runner-image", "",
		"Image of the runner pod; it must be on the node and runs privileged (default: kube-proxy's, a static pod's or the network's)")
}

// AddOutput adds -o. more names formats beyond those that every result has, for
// the help ("name", "wide").
func AddOutput(flags *pflag.FlagSet, into *string, more string) {
	formats := view.Machine
	if more != "" {
		formats = more + ", " + formats
	}
	flags.StringVarP(into, "output", "o", "", "Output format: "+formats)
}

// UsageArgs makes an argument error one of usage, with the way to the help.
func UsageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		if takes := strings.TrimSpace(strings.TrimPrefix(cmd.Use, cmd.Name())); takes != "" && !strings.HasPrefix(takes, "-") && len(args) != 1 {
			err = fmt.Errorf("'%s' takes %s, but %s", cmd.CommandPath(), takes, given(len(args)))
		}
		hint := fmt.Sprintf("see '%s --help'", cmd.CommandPath())
		if len(cmd.ValidArgs) > 0 {
			hint = "it is one of " + strings.Join(cmd.ValidArgs, ", ") + "; " + hint
		}
		return plan.As(plan.Misused, plan.Hint(err, "%s", hint))
	}
}

// given says how many arguments there are.
func given(n int) string {
	if n == 0 {
		return "none was given"
	}
	return fmt.Sprintf("%d were given", n)
}

// NodeName takes NAME or node/NAME, as kubectl does.
func NodeName(arg string) (string, error) {
	kind, name, slash := strings.Cut(arg, "/")
	if !slash {
		kind, name = "node", arg
	}
	if name == "" || kind != "node" && kind != "nodes" && kind != "no" {
		return "", plan.As(plan.Misused, fmt.Errorf("%q is not the name of a node", arg))
	}
	return name, nil
}

// OwnPod is the pod in which this program runs, by what the kubelet puts into each pod that
// has a token: its namespace, and its name as the host's name. It is empty elsewhere.
func OwnPod() types.NamespacedName {
	return ownPod("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
}

func ownPod(namespaceFile string) types.NamespacedName {
	namespace, err := os.ReadFile(namespaceFile)
	name, nameErr := os.Hostname()
	if err != nil || nameErr != nil {
		return types.NamespacedName{}
	}
	return types.NamespacedName{Namespace: strings.TrimSpace(string(namespace)), Name: name}
}
