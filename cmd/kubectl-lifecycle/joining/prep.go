// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newhost"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/wave"
)

const prepLong = `Prepare hosts for kubeadm over ssh: look at what each lacks (swap, kernel
modules and settings, the container runtime and its cgroup driver, ports, name,
clock, packages, leftovers), show the exact changes, and with --yes make them and
look again. What counts is the value in effect, not the file. What was there
before is kept on the host, and --undo undoes the changes.

ssh is your own: its configuration, agent, jump hosts and known hosts count, and
none of it is turned off. A user who is not root must be able to run sudo
without a password. Nothing is left running.

With --install, what is not there is installed by apt, and held: kubeadm, kubelet and
kubectl of the cluster's very version (else the newest of its minor version), what
they depend on, and the distribution's containerd where there is no runtime. The
repository's key must have the fingerprint that you name, or be the known one of
pkgs.k8s.io; a key that nothing vouches for is taken from https only, and shown. All of
it is rehearsed first, and refused if something of yours would be replaced or removed.
--from DIR sends .deb files to a host that reaches no repository; a file SHA256SUMS in
DIR must name each of them. Without --install nothing is installed.

What the cluster of your kubeconfig wants (version, cgroup driver, registry,
kube-proxy's mode, network) is read from it; without a cluster (--no-cluster) only
what every node needs is checked.

The exit code is 3 if something is left that would keep a host from becoming a node.`

// prepFlags are the flags of prep, and those that join --ssh shares with it.
type prepFlags struct {
	ssh                     []string
	hostname, timeZone      string
	criSocket               string
	controlPlane, noCluster bool
	yes, undo               bool
	maxParallel             int
	timeout                 time.Duration
	output                  string
	packages                installFlags
}

func newPrepCommand(c commands) *cobra.Command {
	var f prepFlags
	cmd := &cobra.Command{
		Use:   "prep --ssh [USER@]HOST",
		Short: "Prepare hosts for kubeadm over ssh, or say what they lack",
		Long:  prepLong,
		Example: "  kubectl lifecycle prep --ssh root@10.0.0.7\n" +
			"  kubectl lifecycle prep --ssh root@10.0.0.7 --ssh root@10.0.0.8 --yes\n" +
			"  kubectl lifecycle prep --ssh root@10.0.0.7 --undo --yes",
		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.prep(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	f.add(flags)
	flags.BoolVar(&f.yes, "yes", false, "Make the changes; without it they are shown")
	flags.BoolVar(&f.undo, "undo", false, "Undo what earlier runs have changed; without --yes that is shown")
	flags.BoolVar(&f.controlPlane, "control-plane", false, "Check the host as a control-plane node")
	flags.BoolVar(&f.noCluster, "no-cluster", false, "Do not read what a cluster wants")
	flags.StringVar(&f.criSocket, "cri-socket", "", "CRI socket on the host, where several runtimes answer (default: the only one)")
	flags.StringVar(&f.packages.version, "kubernetes-version", "",
		"Version for --install, for example v1.36.3, or v1.36 for its newest (default: the cluster's)")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Minute, "How long all of it may take; 0 means no limit")
	env.AddOutput(flags, &f.output, "")
	return cmd
}

// add adds what prep and join --ssh share.
func (f *prepFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ssh, "ssh", nil, "Host, as ssh takes it: [USER@]HOST or a Host of your ~/.ssh/config; may be given several times")
	flags.StringVar(&f.hostname, "hostname", "", "Host name to set (one host only)")
	flags.StringVar(&f.timeZone, "time-zone", "", "Set this time zone, for example Asia/Shanghai (default: unchanged)")
	flags.IntVar(&f.maxParallel, "max-parallel", 8, "How many hosts are worked on at the same time")
	f.packages.add(flags)
}

// hosts are those of the flags; every error is one of usage.
func (f *prepFlags) hosts() (map[string]sshcarrier.Host, error) {
	if len(f.ssh) == 0 {
		return nil, plan.As(plan.Misused, plan.Hint(errors.New("no host is named"), "name one: --ssh [USER@]HOST"))
	}
	if f.hostname != "" && len(f.ssh) > 1 {
		return nil, env.Misused("--hostname is for one host")
	}
	if f.maxParallel < 1 {
		return nil, env.Misused(fmt.Sprintf("--max-parallel must be 1 or more, got %d", f.maxParallel))
	}
	if f.undo && f.packages.install {
		return nil, env.Misused("--undo takes back what --install has installed, too: leave out --install")
	}
	if err := f.packages.read(); err != nil {
		return nil, err
	}
	hosts := map[string]sshcarrier.Host{}
	for _, destination := range f.ssh {
		h := sshcarrier.Host{Destination: destination}
		if err := h.Validate(); err != nil {
			return nil, err
		}
		if _, twice := hosts[destination]; twice {
			return nil, env.Misused(fmt.Sprintf("host %s is named twice", text.Quote(destination)))
		}
		f.packages.serve(&h)
		hosts[destination] = h
	}
	return hosts, nil
}

// order is what a host is told, but for what the cluster wants.
func (f *prepFlags) order(wanted prep.Wanted) (prep.Order, error) {
	if f.controlPlane {
		wanted.Role = prep.ControlPlane
	}
	wanted.Hostname, wanted.TimeZone = f.hostname, f.timeZone
	wanted.CRISocket = cmp.Or(f.criSocket, wanted.CRISocket)
	if err := wanted.Validate(); err != nil {
		return prep.Order{}, plan.As(plan.Misused, err)
	}
	install, err := f.packages.order(wanted)
	return prep.Order{Wanted: wanted, Apply: f.yes, Undo: f.undo, Install: install}, err
}

// prepared is what has become of one host.
type prepared struct {
	Host    string       `json:"host"`
	Error   string       `json:"error,omitempty"`
	Outcome prep.Outcome `json:"outcome"`
}

func (c commands) prep(ctx context.Context, f prepFlags) error {
	hosts, err := f.hosts()
	if err == nil {
		err = view.CheckFormat(f.output)
	}
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	order, err := c.prepOrder(ctx, f)
	if err != nil {
		return err
	}
	return c.prepare(ctx, f, hosts, order)
}

// prepare has each host do what an order says, and tells what has become of it.
func (c commands) prepare(ctx context.Context, f prepFlags, hosts map[string]sshcarrier.Host, order prep.Order) error {
	results := map[string]*prepared{}
	for name := range hosts {
		results[name] = &prepared{Host: name}
	}
	progress := c.Progress()
	err := each(ctx, f, func(ctx context.Context, name string) error {
		step := plan.Plan{Title: "Prepare " + name, Steps: []plan.Step{{
			ID: "prep/" + name, Title: prepTitle(f, name),
			Do: func(ctx context.Context, report plan.Report) (err error) {
				results[name].Outcome, err = newhost.Prepare(ctx, hosts[name], order, report)
				return err
			},
		}}}
		_, err := step.Run(ctx, progress)
		return err
	}, func(name string, err error) { results[name].Error = err.Error() })
	progress.Close()
	return errors.Join(c.tellPrepared(f, order, results), err)
}

// prepTitle is what is done with a host, for its line of progress.
func prepTitle(f prepFlags, name string) string {
	switch {
	case f.undo && f.yes:
		return "Undo the changes on " + name
	case f.yes:
		return "Prepare " + name
	}
	return "Look at " + name
}

// prepOrder is the order for all hosts, with what the cluster wants.
func (c commands) prepOrder(ctx context.Context, f prepFlags) (prep.Order, error) {
	if f.noCluster || f.undo {
		return f.order(prep.Wanted{})
	}
	client, err := c.Client()
	if err != nil {
		return prep.Order{}, plan.Hint(err, "to prepare a host for a cluster that does not exist yet: --no-cluster")
	}
	wanted, err := newhost.Wanted(ctx, client)
	if err != nil {
		return prep.Order{}, env.NothingChanged(err)
	}
	return f.order(wanted)
}

// each does something with each host, some at a time. One that fails does not stop
// the others; the error says how many have failed, and has the worst class.
func each(ctx context.Context, f prepFlags, do func(ctx context.Context, host string) error, failed func(host string, err error)) error {
	var all []error
	work := wave.Stage{Each: func(ctx context.Context, host string) error { return do(ctx, host) }}
	outcomes := wave.Rollout{Groups: []wave.Group{{Nodes: f.ssh, Limit: f.maxParallel, Stages: []wave.Stage{work}}}}.Run(ctx)
	for _, o := range outcomes {
		if o.Err != nil {
			failed(o.Node, o.Err)
			all = append(all, o.Err)
		}
	}
	return errors.Join(all...)
}

// tellPrepared writes the findings of each host, and says whether one is left that
// blocks.
func (c commands) tellPrepared(f prepFlags, order prep.Order, results map[string]*prepared) error {
	var all []prepared
	blocked := 0
	for _, name := range f.ssh {
		all = append(all, *results[name])
		if !order.Undo && results[name].Outcome.Report.Blocked() {
			blocked++
		}
	}
	err := c.Print(f.output, view.Of("HostPreparation", all), func(s *view.Sheet) error {
		for _, p := range all {
			if p.Error != "" {
				continue // it was said
			}
			_ = s.Line("%s", p.Host) // the sheet keeps the error
			for _, line := range p.Outcome.Lines(order) {
				words := strings.TrimLeft(line, " ")
				lead := "  " + line[:len(line)-len(words)]
				_ = s.Line("%s%s", text.Safe(lead), words)
			}
		}
		return s.Err
	})
	if err != nil || blocked == 0 {
		return err
	}
	return plan.As(plan.Found, plan.Hint(fmt.Errorf("%d of %d hosts cannot become nodes as they are", blocked, len(all)), "%s",
		order.Next(all[0].Outcome)))
}
