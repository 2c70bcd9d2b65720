// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const cniInstallLong = `Install a pod network from its Helm chart, and wait until it works: an agent ready on every node, every node Ready, CoreDNS available.

What must agree with the cluster, the pod CIDR above all, is read from the
cluster; a value that contradicts it is refused, and so is a second network
beside a first. Nothing is created before the chart is read, rendered and
checked against the API. Run it again after any interruption; when there is
nothing to do, it says so.

--chart takes a directory or .tgz, the URL of an archive or of a chart
repository, or an oci:// reference. Values of a release that is there already
are kept, unless --set or --values say otherwise; name=null takes back the
chart's own. A chart comes over https (plain http only from this machine), and is
checked against the digest that its repository names, and against --chart-digest.

--mirror takes charts and images from other registries, hooks' images and those of
what an operator makes included; what no mirror serves is named. --check-images asks
for each image there, for the architecture of every node, before anything changes.

Values that the addresses of running pods depend on are not changed. A network whose
project supports upgrades by one minor version at a time is not upgraded by more. An
upgrade shows what changes.

Nodes that do not answer, or are being deleted, are not waited for: they are named
at the end, and served when they are back (exit code 0). Faults that do not pass
by waiting end the wait with their reason: a node without a pod CIDR, two nodes
that flannel reaches at one address. The exit code is 1 then, or 3 where there was
nothing to change.

--look asks hosts first, 50 at most, through a pod each that is gone afterwards: a
file in /etc/cni/net.d that sorts before the network's own, a missing plugin or
module, or a port that another program has is refused or reported.

At the end packets are sent through the network ('cni test'), and what does not
arrive is named (exit code 1). --probe=false leaves that out. If no pod can be started
for it, the command says so.`

// cniFlags are the flags of cni install.
type cniFlags struct {
	chartFlags
	dryRun, output string
	adopt, check   bool
	probe, look    bool
	runner         env.RunnerFlags
	timeout        time.Duration
	mode           env.DryRun // what dryRun says
	// quiet leaves the result to a command of which this is a part.
	quiet bool
	// prove sends packets through the network; nil where none are to be sent.
	prove prover
	// ask asks hosts what they have for the network; nil where none are to be asked.
	ask func(context.Context) ([]wire.HostNetwork, error)
}

func newCNICommand(c commands) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cni",
		Short: "The pod network of the cluster",
		Args:  env.UsageArgs(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCNIInstallCommand(c), newCNIStatusCommand(c), newCNITestCommand(c), newCNIUninstallCommand(c),
		newCNISwitchCommand(c),
		newCNIListCommand(c), newCNIVersionsCommand(c), newCNIValuesCommand(c), newCNIImagesCommand(c), newCNIExplainCommand(c))
	return cmd
}

func newCNIInstallCommand(c commands) *cobra.Command {
	var f cniFlags
	cmd := &cobra.Command{
		Use:   "install NAME",
		Short: "Install a pod network, and wait until it works",
		Long:  cniInstallLong + "\n\nNAME is one of " + strings.Join(cni.Known(), ", ") + ".",
		Example: "  kubectl lifecycle cni install flannel\n" +
			"  kubectl lifecycle cni install flannel --chart ./flannel.tgz --set flannel.backend=host-gw\n" +
			"  kubectl lifecycle cni install flannel --dry-run=client",
		Args:      env.UsageArgs(cobra.ExactArgs(1)),
		ValidArgs: cni.Known(),
		RunE:      func(cmd *cobra.Command, args []string) error { return c.installCNI(cmd.Context(), args[0], f) },
	}
	f.add(cmd.Flags())
	return cmd
}

func (f *cniFlags) add(flags *pflag.FlagSet) {
	env.AddOutput(flags, &f.output, "name")
	env.AddDryRun(flags, &f.dryRun, "none, client or server: show what would be done; both render the chart and check it against the API")
	f.chartFlags.add(flags)
	flags.BoolVar(&f.adopt, "adopt", false, "Take over a network that was applied without Helm: its objects become the release's")
	f.addChecks(flags)
	flags.BoolVar(&f.probe, "probe", true, "Send packets through the network at the end, as 'cni test' does")
	f.runner.Add(flags)
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute, "How long all of it may take; 0 means no limit")
}

func (c commands) installCNI(ctx context.Context, name string, f cniFlags) error {
	var err error
	if f.mode, err = env.ParseDryRun(f.dryRun); err != nil {
		return err
	}
	if err := view.CheckFormat(f.output, "name"); err != nil {
		return err
	}
	request, err := f.request(name)
	if err != nil {
		return err
	}
	request.Adopt = f.adopt
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx, cancel := env.Within(ctx, f.timeout)
	defer cancel()
	if f.look {
		f.ask = c.looking(client, f.runner)
	}
	if f.probe {
		f.prove = c.proving(f.runner)
	}
	return c.runCNI(ctx, client, c.store(), request, f)
}

// hosts are what hosts have for their network, where they are to be asked.
func (f cniFlags) hosts(ctx context.Context) ([]wire.HostNetwork, error) {
	if f.ask == nil {
		return nil, nil
	}
	return f.ask(ctx)
}

// runCNI reads, decides, shows, does and tells.
func (c commands) runCNI(ctx context.Context, client kubernetes.Interface, releases release.Store, request cni.Request, f cniFlags) error {
	survey, err := cni.Survey(ctx, client, releases)
	if err != nil {
		return env.NothingChanged(err)
	}
	if request.Hosts, err = f.hosts(ctx); err != nil {
		return env.NothingChanged(err)
	}
	inst, err := cni.Decide(survey, request)
	if err != nil {
		return env.NothingChanged(err)
	}
	inst, err = cni.Prepare(ctx, client, releases, inst)
	if err != nil {
		return env.NothingChanged(err)
	}
	if err := f.images(ctx, survey, inst, request); err != nil {
		return env.NothingChanged(err)
	}
	recipe, proven := proved(cni.Recipe(client, releases, inst), f.prove)
	if err := c.showCNI(survey, inst, recipe); err != nil {
		return err
	}
	if f.mode != env.DryRunNone {
		return c.tellCNI(f.output, inst, "would be "+verbOf(inst.Action)+" (dry run: nothing was changed)")
	}
	progress := c.Progress()
	result, err := recipe.Run(ctx, progress)
	progress.Close()
	if err != nil {
		return err
	}
	outcome, err := cni.Look(ctx, client, inst)
	if err != nil {
		return err
	}
	for _, d := range outcome.Doubts {
		c.Warn("%s", d.Text)
		c.Say("         %s", d.Hint)
	}
	if err := c.tellProof(*proven); err != nil {
		return err
	}
	words := wordsOf(inst.Action, len(result.Done) > 0)
	if words += unserved(outcome.Unserved); f.quiet {
		c.Say("cni/%s %s", inst.CNI, words)
		return nil
	}
	return c.tellCNI(f.output, inst, words)
}

// unserved names the nodes that a network does not reach, the first of many.
func unserved(nodes []string) string {
	const most = 5
	if len(nodes) == 0 {
		return ""
	}
	return "; not served: " + text.First(nodes, most)
}

// wordsOf says what was done to a network, if anything was.
func wordsOf(action release.Action, done bool) string {
	switch {
	case !done:
		return "installed (nothing to do)"
	case action == release.Upgrade:
		return "upgraded"
	}
	return "installed"
}

// verbOf says what an action would do to a network.
func verbOf(action release.Action) string {
	switch action {
	case release.Upgrade:
		return "upgraded"
	case release.Keep:
		return "left as it is"
	case release.Install, release.Replace:
	}
	return "installed"
}

// showCNI writes facts, values and plan to stderr.
func (c commands) showCNI(f facts.Facts, inst cni.Installation, recipe plan.Plan) error {
	ready := 0
	for _, n := range f.Nodes {
		if n.Ready {
			ready++
		}
	}
	rows := [][]string{{"Nodes", fmt.Sprintf("%d, %d Ready", len(f.Nodes), ready)}}
	for _, r := range []struct {
		title string
		facts.Range
	}{{"Pods", f.Pods}, {"Services", f.Services}} {
		rows = append(rows, []string{r.title, strings.Trim(fmt.Sprint(r.CIDRs), "[]"), r.Source})
	}
	if f.DNS.Name != "" {
		rows = append(rows, []string{"CoreDNS", fmt.Sprintf("%d of %d available", f.DNS.Available, f.DNS.Desired)})
	}
	rows = append(rows, []string{"Release", inst.Namespace + "/" + inst.Release, string(inst.Action) + ": " + inst.Because})
	if inst.Chart.Name != "" {
		rows = append(rows, []string{"Chart", inst.Chart.Name + " " + inst.Chart.Version, inst.Source.Chart})
	}
	for _, s := range inst.Settings {
		rows = append(rows, []string{"Value", fmt.Sprintf("%s=%v", s.Path, s.Value), s.Reason})
	}
	for _, change := range inst.Changes {
		for _, field := range change.Fields {
			rows = append(rows, []string{"Changes", change.Object, field})
		}
	}
	if err := c.SayTable(rows); err != nil {
		return err
	}
	c.ShowPlan(recipe, nil)
	return c.sayFindings(inst.Findings)
}

// cniResult is the machine-readable result.
type cniResult struct {
	cni.Installation
	Result string `json:"result"`
}

func (c commands) tellCNI(output string, inst cni.Installation, result string) error {
	if output == "name" {
		return c.Names("cni", inst.CNI)
	}
	return c.Print(output, view.Of("NetworkInstallation", cniResult{Installation: inst, Result: result}),
		func(s *view.Sheet) error { return s.Line("cni/%s %s", view.Name(inst.CNI), result) })
}
