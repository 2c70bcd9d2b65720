// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// listed is a network that can be installed, as it is shown.
type listed struct {
	Name       string             `json:"name"`
	Chart      string             `json:"chart"`
	Version    string             `json:"version"`
	Repository string             `json:"repository"`
	Registry   string             `json:"registry,omitempty"`
	Namespace  string             `json:"namespace"`
	KubeProxy  string             `json:"kubeProxy"`
	Kernel     string             `json:"kernel,omitempty"`
	Tested     []catalogue.Tested `json:"tested"`
}

func list(n catalogue.Network) listed {
	return listed{
		Name: n.Name, Chart: n.ChartName(), Version: n.Version, Repository: n.Repository, Registry: n.Registry, Namespace: n.Namespace,
		KubeProxy: text.Choose(n.NeedsProxy, "needed", "needed or replaced"), Kernel: n.Host.Kernel, Tested: n.Tested,
	}
}

func newCNIListCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the pod networks that can be installed",
		Example: "  kubectl lifecycle cni list",
		Args:    env.UsageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if err := view.CheckFormat(output, "name"); err != nil {
				return err
			}
			if output == "name" {
				return c.Names("cni", cni.Known()...)
			}
			var all []listed
			rows := [][]string{{"NAME", "CHART", "VERSION", "KUBERNETES", "KUBE-PROXY", "KERNEL"}}
			for _, n := range cni.Catalogue() {
				l := list(n)
				all = append(all, l)
				rows = append(rows, []string{l.Name, l.Chart, l.Version, kubernetesOf(lineOf(l)), l.KubeProxy, orDash(l.Kernel)})
			}
			return c.Print(output, view.Of("Network", all), func(s *view.Sheet) error { return s.Table(rows) })
		},
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	return cmd
}

func newCNIVersionsCommand(c commands) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "versions NAME",
		Short: "List the lines of a network's chart, and their Kubernetes",
		Long: `List the lines of a network's chart, and the versions of Kubernetes that its
project tests each with. Nothing is asked of the network's repository: --version
of "cni install" takes any version that is there.`,
		Example:   "  kubectl lifecycle cni versions cilium",
		Args:      env.UsageArgs(cobra.ExactArgs(1)),
		ValidArgs: cni.Known(),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := view.CheckFormat(output, "name"); err != nil {
				return err
			}
			n, err := catalogue.Find(args[0])
			if err != nil {
				return err
			}
			l := list(n)
			rows := [][]string{{"LINE", "KUBERNETES", "DEFAULT"}}
			var lines []string
			for _, t := range l.Tested {
				lines = append(lines, t.Line)
				rows = append(rows, []string{t.Line, kubernetesOf(t), text.Choose(t == lineOf(l), l.Version, "-")})
			}
			if output == "name" {
				return c.plain(lines)
			}
			return c.Print(output, view.Of("Network", l), func(s *view.Sheet) error { return s.Table(rows) })
		},
	}
	env.AddOutput(cmd.Flags(), &output, "name")
	return cmd
}

// plain writes one word a line, for other programs.
func (c commands) plain(words []string) error {
	sheet := c.Sheet()
	for _, w := range words {
		if err := sheet.Line("%s", w); err != nil {
			return err
		}
	}
	return sheet.Err
}

// lineOf is the line of the version that is installed unless another is asked for.
func lineOf(l listed) catalogue.Tested {
	for _, t := range l.Tested {
		if strings.HasPrefix(strings.TrimPrefix(l.Version, "v"), t.Line+".") {
			return t
		}
	}
	return catalogue.Tested{}
}

// kubernetesOf is a range of versions: "1.31 to 1.34".
func kubernetesOf(t catalogue.Tested) string {
	switch {
	case t.From == "":
		return "not said"
	case t.To == "":
		return t.From + " and later"
	}
	return t.From + " to " + t.To
}

func orDash(word string) string {
	if word == "" {
		return "-"
	}
	return word
}
