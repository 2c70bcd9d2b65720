// SPDX-License-Identifier: Apache-2.0

//go:build linux

package hostprep

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/lifecycle-node/report"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Usage is the help of "prep".
const Usage = `usage: lifecycle-node prep [--yes] [--undo] [--control-plane] [--hostname NAME] [--time-zone ZONE] [WANTED]

Says what this host lacks before kubeadm can make a node of it. With --yes it makes
the changes that it names, keeps what was there before, and looks again; --undo takes
them back. WANTED is what the cluster wants of its nodes, as JSON, for example
'{"kubernetes": "v1.36.3", "cgroupDriver": "systemd"}'; the less there is, the less is
judged.
`

// Alone is "prep": for a person on a host that nothing reaches.
func Alone(ctx context.Context, args []string, out io.Writer) error {
	order, err := parse(args)
	if err != nil {
		return plan.As(plan.Misused, fmt.Errorf("%w\n\n%s", err, Usage))
	}
	outcome, err := Do(ctx, order, report.Printer{Out: out}, report.Talk{})
	if err != nil {
		return err
	}
	for _, line := range outcome.Lines(order) {
		_, _ = fmt.Fprintln(out, text.Spaced(line)) // see report.Printer
	}
	if outcome.Report.Blocked() && !order.Undo {
		return plan.As(plan.Found, plan.Hint(errors.New("this host cannot become a node as it is"), "%s", order.Next(outcome)))
	}
	return nil
}

func parse(args []string) (order prep.Order, err error) {
	flags := flag.NewFlagSet("prep", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&order.Apply, "yes", false, "")
	flags.BoolVar(&order.Undo, "undo", false, "")
	controlPlane := flags.Bool("control-plane", false, "")
	hostname := flags.String("hostname", "", "")
	zone := flags.String("time-zone", "", "")
	if err := flags.Parse(args); err != nil {
		return order, err
	}
	if flags.NArg() > 1 {
		return order, errors.New("too many arguments")
	}
	if flags.NArg() == 1 {
		if err := json.Unmarshal([]byte(flags.Arg(0)), &order.Wanted); err != nil {
			return order, fmt.Errorf("WANTED is no JSON: %w", err)
		}
	}
	if *controlPlane {
		order.Wanted.Role = prep.ControlPlane
	}
	if *hostname != "" {
		order.Wanted.Hostname = *hostname
	}
	if *zone != "" {
		order.Wanted.TimeZone = *zone
	}
	return order, order.Wanted.Validate()
}
