// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/uninstall"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/netclean"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// usualHosts and mostHosts are how many hosts are cleaned at a time: each takes a pod,
	// and 10 MB through the API server.
	usualHosts, mostHosts = 10, 100
)

// cleanFlags are those of commands that clean hosts of a network.
type cleanFlags struct {
	cleanNodes bool
	atOnce     int
	runner     env.RunnerFlags
}

func (f *cleanFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.cleanNodes, "clean-nodes", false, "Clean the nodes' hosts of what the network has left there, too")
	f.addHow(flags)
}

// addHow adds the flags that say how.
func (f *cleanFlags) addHow(flags *pflag.FlagSet) {
	flags.IntVar(&f.atOnce, "max-parallel", usualHosts, "How many hosts are cleaned at a time")
	f.runner.Add(flags)
}

func (f *cleanFlags) validate() error {
	if f.atOnce < 1 || f.atOnce > mostHosts {
		return env.Misused(fmt.Sprintf("--max-parallel is a number from 1 to %d", mostHosts))
	}
	return nil
}

// cleanNodes cleans the hosts of all nodes of a network that was uninstalled, and prints
// one table of what became of them.
func (c commands) cleanNodes(ctx context.Context, u uninstall.Uninstallation, f uninstallFlags) error {
	if f.mode == env.DryRunClient {
		return c.Print(f.output, view.Of("NetworkRemoval", u), func(s *view.Sheet) error {
			return s.Line("the hosts of all nodes would be cleaned of it (--dry-run=server names what goes on each)")
		})
	}
	results, err := c.cleanHosts(ctx, netclean.Cleaning{Network: u.CNI, Agents: u.Agents(), AtOnce: f.atOnce, WithPods: f.withPods,
		DryRun: f.mode != env.DryRunNone}, f.runner)
	if err != nil {
		return err
	}
	if err := c.tellHosts(f.output, results); err != nil {
		return err
	}
	left := hostsLeft(ctx, u.CNI, results)
	if f.mode != env.DryRunNone {
		return left
	}
	client, err := c.Client()
	if err != nil {
		return both(left, err)
	}
	return restartDNS(ctx, client, results, left)
}

// restartDNS has CoreDNS made again where hosts were cleaned, also if others were left: it
// does not answer there, whatever becomes of them.
func restartDNS(ctx context.Context, client kubernetes.Interface, results []netclean.Result, left error) error {
	if ctx.Err() != nil { // a person has ended it: the next call does
		return left
	}
	return both(left, netclean.RestartDNS(ctx, client, results))
}

// both is the first of two errors, with what the second says.
func both(first, second error) error {
	if first == nil || second == nil {
		return cmp.Or(first, second)
	}
	return plan.Hint(fmt.Errorf("%w; %w", first, second), "%s", plan.HintOf(first))
}

// cleanHosts cleans hosts: those of all Linux nodes, unless the cleaning names some.
func (c commands) cleanHosts(ctx context.Context, cleaning netclean.Cleaning, flags env.RunnerFlags) ([]netclean.Result, error) {
	cluster, err := c.Cluster(flags)
	if err != nil {
		return nil, err
	}
	if cleaning.Nodes == nil {
		nodes, err := kube.ListNodes(ctx, cluster.Client, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		cleaning.Nodes = linux(kube.Pointers(nodes))
	}
	progress := c.Progress()
	defer progress.Close()
	return cleaning.Run(ctx, cluster, progress)
}

// linux leaves out the nodes of other systems.
func linux(nodes []*corev1.Node) (out []*corev1.Node) {
	for _, n := range nodes {
		if os := n.Status.NodeInfo.OperatingSystem; os == "" || os == "linux" {
			out = append(out, n)
		}
	}
	return out
}

// tellHosts prints what became of hosts; of a dry run every object.
func (c commands) tellHosts(output string, results []netclean.Result) error {
	if output == "name" {
		var names []string
		for _, r := range results {
			if !r.Left() {
				names = append(names, r.Node)
			}
		}
		return c.Names("node", names...)
	}
	return c.Print(output, view.Of("HostCleaning", results), func(s *view.Sheet) error {
		rows := [][]string{{"NODE", "HOST", "THINGS", "TIME", "WHY"}}
		for _, r := range results {
			why, _, _ := strings.Cut(r.Error, "\n")
			row := []string{view.Name(r.Node), string(r.State), fmt.Sprint(len(r.Objects)), view.Seconds(r.Seconds), why}
			switch {
			case r.State == netclean.Looked && len(r.Pods) > 0:
				row[4] = view.CountPods(len(r.Pods)) + text.Choose(len(r.Pods) == 1, " runs", " run") + " in this network there"
			case r.Verdict.State != "" && r.Verdict.State != inventory.Clean && r.Error == "":
				row[4] = r.Verdict.Summary()
			}
			rows = append(rows, row)
			if r.State == netclean.Looked {
				for _, it := range r.Objects {
					c.Say("%s: %s", r.Node, it)
				}
			}
			for _, it := range r.Verdict.But {
				c.Warn("%s: stays: %s (%s)", r.Node, it, it.Why)
			}
			for _, it := range r.Verdict.AfterReboot {
				c.Warn("%s: goes with the next boot: %s", r.Node, it)
			}
		}
		c.saySettings(results)
		return s.Table(rows)
	})
}

// saySettings names once what a network has set in the kernels of hosts.
func (c commands) saySettings(results []netclean.Result) {
	on := map[string][]string{}
	for _, r := range results {
		for _, it := range r.Verdict.Harmless {
			line := it.Name + "=" + it.Detail
			on[line] = append(on[line], r.Node)
		}
	}
	for _, line := range slices.Sorted(maps.Keys(on)) {
		c.Warn("%s stays on %s: the network sets it so, or an administrator; it takes its configured value with the next boot",
			line, text.Some(on[line]))
	}
}

// hostsLeft is the error of hosts on which something of the network may be left; nil if
// there is none.
func hostsLeft(ctx context.Context, network string, results []netclean.Result) error {
	var hints []string
	left := 0
	for _, r := range results {
		if r.Left() {
			left++
			if r.Hint != "" && len(hints) < 5 {
				hints = append(hints, r.Node+": "+r.Hint)
			}
		}
	}
	if left == 0 {
		return nil
	}
	err := plan.Hint(fmt.Errorf("%d of %d hosts were not cleaned of %s", left, len(results), network), "%s",
		strings.Join(append(hints, "run the same command again to go on; hosts that are clean are only looked at"), "\n"))
	if ctx.Err() != nil {
		return plan.As(plan.ClassOf(ctx.Err()), err)
	}
	return err
}
