// SPDX-License-Identifier: Apache-2.0

package joining

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/lint"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const lintLong = `Find what is wrong with a configuration of kubeadm before anything is made of it:
InitConfiguration, ClusterConfiguration, JoinConfiguration, UpgradeConfiguration,
KubeletConfiguration, KubeProxyConfiguration. kubeadm's own validation looks at its
fields alone; what it hands on shows later, as a component that does not start.

Found are fields that are unknown or in a wrong place, arguments in the form of
v1beta3, flags, admission plugins and feature gates that are gone, networks that
overlap, a version that no such kubeadm can deploy, documents that contradict each
other, and values that are valid but unwise. Each finding has a line and an id.

Flags, plugins, gates and fields are compared with those of Kubernetes 1.36. It reads
the file alone: no cluster, no host. - is stdin.

The exit code is 3 if anything is found.`

// lintFlags are the flags of lint.
type lintFlags struct {
	options lint.Options
	output  string
}

func newLintCommand(c commands) *cobra.Command {
	var f lintFlags
	cmd := &cobra.Command{
		Use:   "lint FILE",
		Short: "Find what is wrong with a configuration of kubeadm",
		Long:  lintLong,
		Example: "  kubectl lifecycle lint kubeadm.yaml\n" +
			"  kubeadm config print init-defaults | kubectl lifecycle lint - -o json",
		Args: env.UsageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return c.lint(args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.options.Kubernetes, "kubernetes-version", "", "Version that is meant where the file names none")
	flags.StringVar(&f.options.Kubeadm, "kubeadm-version", "", "Version of the kubeadm that will read the file")
	env.AddOutput(flags, &f.output, "")
	return cmd
}

func (c commands) lint(path string, f lintFlags) error {
	if err := view.CheckFormat(f.output); err != nil {
		return err
	}
	raw, err := readConfig(path, c.Stdin())
	if err != nil {
		return plan.As(plan.Misused, err)
	}
	found := lint.Check(raw, f.options)
	if found == nil {
		found = []lint.Finding{}
	}
	err = c.Print(f.output, view.Of("LintFinding", found), func(s *view.Sheet) error {
		if len(found) == 0 {
			return s.Line("nothing was found")
		}
		return lintLines(s, found)
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return plan.As(plan.Found, plan.Hint(errors.New(counted(found)), "each finding says above what fixes it"))
}

// lintLines writes findings for a person.
func lintLines(s *view.Sheet, found []lint.Finding) error {
	for _, f := range found {
		at := "line " + fmt.Sprint(f.Line)
		if f.Line == 0 {
			at = "file"
		}
		_ = s.Line("%-9s  %-6s  %-24s  %s", at, f.Severity, f.ID, f.Text) // the sheet keeps the error
		_ = s.Line("           %s", f.WayOut)
	}
	return s.Err
}

// counted says how many findings there are, and how many of them block.
func counted(found []lint.Finding) string {
	blocks := 0
	for _, f := range found {
		if f.Severity == lint.Blocks {
			blocks++
		}
	}
	return fmt.Sprintf("%s, of which %d would keep a cluster from being made", text.Count(len(found), "finding"), blocks)
}

// lintConfig refuses a configuration that cannot work, and warns of the rest.
func (c commands) lintConfig(f *initFlags) error {
	if f.config == "" {
		return nil
	}
	found := lint.Check(f.settings.Config, lint.Options{Kubernetes: f.settings.Version})
	var kept []lint.Finding
	for _, one := range found {
		if one.ID != lint.Endpoint || one.Severity == lint.Blocks { // that there is none is said by itself
			kept = append(kept, one)
		}
	}
	if err := lintLines(c.ErrSheet(), kept); err != nil || !lint.Blocked(kept) {
		return err
	}
	return plan.Refuse(errors.New("the configuration cannot work: "+counted(kept)),
		"fix it as said above; see: kubectl lifecycle lint --help")
}
