// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/newcluster"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/sshcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const initLong = `Make a new cluster: prepare a host over your own ssh (see 'prep'), have kubeadm
make it the first control plane, and add the cluster to your kubeconfig under the
name of --context. The host needs a container runtime, kubeadm and kubelet; --install
installs them, of --kubernetes-version (see 'prep'). The cluster has no network then,
and its node is not Ready before it has one: 'cni install' is next.

kubeadm's configuration is made from the flags. A file (--config, kubeadm's API
v1beta4) may hold it instead, or the part of it for which there is no flag, such as
a KubeletConfiguration; it is checked first, as by 'lint'.

--endpoint is the address at which all control planes will be reached: a name or a
load balancer that leads to this host by now. Without it the host's own address
becomes the endpoint, for ever: every node and every certificate has it, so that a
second control plane would be of no use.

Your kubeconfig is kept beside itself before it is changed, and its current context
stays, unless it has none. The administrator's certificate goes from the host into
that file, and is not shown. kubeadm's first bootstrap token lives for a minute, and
is given to no host.

A host that is a node already is refused. If the command is interrupted, kubeadm on
the host goes on: the same command finishes what there is. Once the cluster is made,
it changes nothing, and ends with exit code 3 if it was made with other settings.`

// initFlags are the flags of init.
type initFlags struct {
	prep     prepFlags
	settings newcluster.Settings
	config   string
	dryRun   string
}

func newInitCommand(c commands) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init --ssh [USER@]HOST",
		Short: "Make a new cluster: its first control plane, over ssh",
		Long:  initLong,
		Example: "  kubectl lifecycle init --ssh root@10.0.0.2 --endpoint api.example.com\n" +
			"  kubectl lifecycle init --ssh root@10.0.0.2 --untaint    # the only node\n" +
			"  kubectl lifecycle init --ssh root@10.0.0.2 --config kubeadm.yaml --dry-run",
		Args: env.UsageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.init(cmd.Context(), f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *initFlags) add(flags *pflag.FlagSet) {
	s := &f.settings
	flags.StringArrayVar(&f.prep.ssh, "ssh", nil, "Host, as ssh takes it: [USER@]HOST or a Host of your ~/.ssh/config")
	flags.StringVar(&f.config, "config", "", "File with kubeadm's configuration; - is stdin")
	flags.StringVar(&s.Endpoint, "endpoint", "",
		"HOST or HOST:PORT at which all control planes will be reached (default: the host's own address)")
	flags.StringVar(&s.AdvertiseAddress, "advertise-address", "", "Address of the host's API server (default: that of its default route)")
	flags.StringVar(&s.PodCIDR, "pod-cidr", "", "Network of pods (default: 10.244.0.0/16)")
	flags.StringVar(&s.ServiceCIDR, "service-cidr", "", "Network of Services (default: kubeadm's, 10.96.0.0/12)")
	flags.StringVar(&s.Version, "kubernetes-version", "", "Version of Kubernetes, for example v1.36.3 (default: that of the host's kubeadm)")
	flags.StringVar(&s.ImageRepository, "image-repository", "", "Registry of Kubernetes' images (default: registry.k8s.io)")
	flags.StringVar(&s.ClusterName, "cluster-name", "", "Name of the cluster in kubeadm's configuration (default: kubernetes)")
	flags.StringVar(&s.NodeName, "node-name", "", "Name of the node (default: the host's name)")
	flags.StringVar(&s.CRISocket, "cri-socket", "", "CRI socket on the host (default: kubeadm finds it)")
	flags.BoolVar(&s.Untaint, "untaint", false, "Let all pods run on this control plane, as a cluster of one node needs it")
	flags.StringSliceVar(&s.IgnorePreflightErrors, "ignore-preflight-errors", nil,
		"Checks of kubeadm whose failure is only a warning on the host")
	f.prep.packages.add(flags)
	flags.StringVar(&f.prep.hostname, "hostname", "", "Host name to set")
	flags.StringVar(&f.prep.timeZone, "time-zone", "", "Set this time zone, for example Asia/Shanghai (default: unchanged)")
	flags.DurationVar(&f.prep.timeout, "timeout", 30*time.Minute, "How long all of it may take; 0 means no limit")
	env.AddDryRun(flags, &f.dryRun, "none, client (show kubeadm's configuration) or server (also look at the host)")
	env.AddOutput(flags, &f.prep.output, "")
}

// founded is the result.
type founded struct {
	Host     string `json:"host"`
	Node     string `json:"node,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	// Result is "made", "already made", "blocked" or "failed".
	Result string `json:"result"`
	// Context is the name in the kubeconfig, Kubeconfig that file, and Backup what it was
	// before, if it was there and has changed.
	Context    string       `json:"context,omitempty"`
	Kubeconfig string       `json:"kubeconfig,omitempty"`
	Backup     string       `json:"backup,omitempty"`
	Outcome    prep.Outcome `json:"outcome"`
}

// request turns the flags into an order; every error is one of usage.
func (f *initFlags) request(stdin io.Reader) (host sshcarrier.Host, order prep.InitOrder, mode env.DryRun, err error) {
	f.prep.maxParallel, f.prep.controlPlane, f.prep.yes = 1, true, true
	hosts, err := f.prep.hosts()
	if err == nil && len(hosts) != 1 {
		err = env.Misused("init makes one control plane; the others join it: join --control-plane --ssh [USER@]HOST")
	}
	if err != nil {
		return host, order, mode, err
	}
	if mode, err = env.ParseDryRun(f.dryRun); err != nil {
		return host, order, mode, err
	}
	if f.config != "" {
		if f.settings.Config, err = readConfig(f.config, stdin); err != nil {
			return host, order, mode, plan.As(plan.Misused, err)
		}
	}
	err = errors.Join(f.settings.Validate(), view.CheckFormat(f.prep.output))
	if err == nil {
		order.Documents, err = f.settings.Documents()
	}
	if err != nil {
		return host, order, mode, plan.As(plan.Misused, plan.Hint(err, "see 'kubectl lifecycle init --help'"))
	}
	wanted, err := newcluster.Wanted(order.Documents)
	if err == nil {
		order.Prep, err = f.prep.order(wanted)
	}
	return hosts[f.prep.ssh[0]], order, mode, err
}

// readConfig reads a file of some size.
func readConfig(path string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was read
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, newcluster.MostOfConfig+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return raw, nil
}

func (c commands) init(ctx context.Context, f initFlags) error {
	host, order, mode, err := f.request(c.Stdin())
	if err != nil {
		return err
	}
	if err := c.lintConfig(&f); err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.prep.timeout)
	defer cancel()
	if newcluster.AssumesEndpoint(order.Documents) {
		c.Warn("no --endpoint: the host's own address becomes the cluster's, in every certificate and on every node")
		c.Say("         a second control plane is of no use then; to change it later takes manual work on every node (docs/controlplanes.md)")
	}
	if mode != env.DryRunNone {
		return c.rehearseInit(ctx, host, order, mode)
	}
	own, err := c.ownKubeconfig(f.contextName(*c.Flags.Context))
	if err != nil {
		return env.NothingChanged(err)
	}
	order.OnlyMade = own.taken
	i := initRun{commands: c, host: host, order: order, own: own, result: founded{Host: host.Destination, Result: "failed"}}
	progress := c.Progress()
	_, err = i.recipe().Run(ctx, progress)
	progress.Close()
	if err := errors.Join(i.tell(f.prep.output), err); err != nil {
		return err
	}
	i.sayNext()
	return i.differs()
}

// contextName is the name that the cluster gets in the kubeconfig: the one asked for, or
// what ssh calls the host.
func (f *initFlags) contextName(asked string) string {
	if asked != "" {
		return asked
	}
	name := strings.TrimPrefix(f.prep.ssh[0], "ssh://")
	if _, after, is := strings.Cut(name, "@"); is {
		name = after
	}
	return strings.Trim(regexp.MustCompile(`:\d+$`).ReplaceAllString(name, ""), "[]")
}

// rehearseInit shows what kubeadm would be told and, asked for, what the host lacks.
func (c commands) rehearseInit(ctx context.Context, host sshcarrier.Host, order prep.InitOrder, mode env.DryRun) error {
	shown, err := newcluster.Shown(order.Documents)
	if err != nil {
		return err
	}
	c.Say("kubeadm on %s would get this configuration, completed with what only the host knows:", text.Quote(host.Destination))
	sheet := c.Sheet()
	for _, line := range strings.Split(strings.TrimRight(shown, "\n"), "\n") {
		words := strings.TrimLeft(line, " ")
		lead := strings.Repeat(" ", len(line)-len(words))
		_ = sheet.Line("%s%s", text.Safe(lead), words) // the sheet keeps the error
	}
	if sheet.Err != nil || mode == env.DryRunClient {
		return sheet.Err
	}
	f := prepFlags{ssh: []string{host.Destination}, maxParallel: 1}
	order.Prep.Apply = false
	return c.prepare(ctx, f, map[string]sshcarrier.Host{host.Destination: host}, order.Prep)
}
