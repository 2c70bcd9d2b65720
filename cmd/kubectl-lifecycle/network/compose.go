// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/view"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/registry"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// askFlags are those of the commands that ask what would be installed.
type askFlags struct {
	chartFlags
	output, kubernetes string
	check              bool
}

func (f *askFlags) add(cmd *cobra.Command) {
	f.chartFlags.add(cmd.Flags())
	env.AddOutput(cmd.Flags(), &f.output, "name")
	cmd.Flags().StringVar(&f.kubernetes, "kubernetes-version", "",
		"Ask no cluster: answer for a new one of this version, with kubeadm's usual ranges")
}

func newCNIValuesCommand(c commands) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "values NAME",
		Short: "Show the values that differ from the chart's own, with reasons",
		Example: "  kubectl lifecycle cni values cilium\n" +
			"  kubectl lifecycle cni values cilium --kubernetes-version 1.36 --chart ./cilium-1.19.1.tgz",
		Args:      env.UsageArgs(cobra.ExactArgs(1)),
		ValidArgs: cni.Known(),
		RunE: func(cmd *cobra.Command, args []string) error {
			inst, _, err := c.compose(cmd.Context(), c.store(), args[0], f)
			if err != nil {
				return err
			}
			return c.tellValues(inst, f.output)
		},
	}
	f.add(cmd)
	return cmd
}

func (c commands) tellValues(inst cni.Installation, output string) error {
	own, err := inst.Chart.Values()
	if err != nil {
		return err
	}
	settings := inst.Differing(own)
	if output == "name" {
		var names []string
		for _, s := range settings {
			names = append(names, s.Path)
		}
		return c.plain(names)
	}
	rows := [][]string{{"VALUE", "REASON"}}
	for _, s := range settings {
		rows = append(rows, []string{fmt.Sprintf("%s=%v", s.Path, s.Value), s.Reason})
	}
	return c.Print(output, view.Of("NetworkValues", struct {
		CNI    string           `json:"cni"`
		Chart  string           `json:"chart"`
		Values []values.Setting `json:"values"`
	}{inst.CNI, inst.Chart.Name + " " + inst.Chart.Version, settings}), func(s *view.Sheet) error { return s.Table(rows) })
}

func newCNIImagesCommand(c commands) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "images NAME",
		Short: "List every image of a network, its operator's included",
		Long: `List every image of a network: of its pods, its hooks, and of what its operator
makes. With --mirror they are those of the mirror, and those that it does not serve
are named. --check-images asks the registries whether each is there for the
architecture of every node; names and passwords are those of docker login and helm
registry login.`,
		Example: "  kubectl lifecycle cni images cilium -o name\n" +
			"  kubectl lifecycle cni images cilium --mirror quay.io=registry.example.com/quay.io --check-images",
		Args:      env.UsageArgs(cobra.ExactArgs(1)),
		ValidArgs: cni.Known(),
		RunE: func(cmd *cobra.Command, args []string) error {
			inst, survey, err := c.compose(cmd.Context(), c.store(), args[0], f)
			if err != nil {
				return err
			}
			var proofs []cni.Proof
			var refused error
			if f.check {
				client := registry.Client{Credentials: registry.Docker(), Roots: inst.Source.Roots}
				if proofs, refused = cni.Prove(cmd.Context(), client, survey, inst); refused != nil && proofs == nil {
					return refused
				}
			}
			if err := c.tellImages(inst, proofs, f.output); err != nil {
				return err
			}
			return refused
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.check, "check-images", false, "Ask the registries whether each image is there for the architecture of every node")
	return cmd
}

func (c commands) tellImages(inst cni.Installation, proofs []cni.Proof, output string) error {
	if output == "name" {
		var names []string
		for _, i := range inst.Images {
			names = append(names, i.Image)
		}
		return c.plain(names)
	}
	rows := [][]string{{"IMAGE", "OF"}}
	if proofs != nil {
		rows[0] = append(rows[0], "THERE")
	}
	for n, i := range inst.Images {
		row := []string{i.Image, strings.Join(i.Of, ", ")}
		if i.Hook {
			row[1] += " (hook)"
		}
		if proofs != nil {
			row = append(row, there(proofs[n]))
		}
		rows = append(rows, row)
	}
	for _, image := range inst.Outside {
		c.Warn("%s does not come through a mirror", image)
	}
	return c.Print(output, view.Of("NetworkImages", struct {
		CNI     string          `json:"cni"`
		Chart   string          `json:"chart"`
		Images  []release.Image `json:"images"`
		Outside []string        `json:"outsideOfMirror,omitempty"`
		Checked []cni.Proof     `json:"checked,omitempty"`
	}{inst.CNI, inst.Chart.Name + " " + inst.Chart.Version, inst.Images, inst.Outside, proofs}),
		func(s *view.Sheet) error { return s.Table(rows) })
}

// there says in a word what a registry said of an image.
func there(p cni.Proof) string {
	switch {
	case p.Failed != "":
		return "no: " + p.Failed
	case len(p.Missing) > 0:
		return "not for " + strings.Join(p.Missing, ", ")
	}
	return strings.Join(p.Architectures, ", ")
}

func (c commands) store() release.Store {
	return helm.Client{Getter: c.Flags, Driver: os.Getenv("HELM_DRIVER")}
}

// compose reads flags and cluster, and says what would be installed.
func (c commands) compose(ctx context.Context, store release.Store, name string, f askFlags) (cni.Installation, facts.Facts, error) {
	if err := view.CheckFormat(f.output, "name"); err != nil {
		return cni.Installation{}, facts.Facts{}, err
	}
	request, err := f.request(name)
	if err != nil {
		return cni.Installation{}, facts.Facts{}, err
	}
	survey := cni.Typical(f.kubernetes)
	if f.kubernetes == "" {
		client, err := c.Client()
		if err != nil {
			return cni.Installation{}, facts.Facts{}, err
		}
		if survey, err = cni.Survey(ctx, client, nil); err != nil {
			return cni.Installation{}, facts.Facts{}, plan.Hint(err, "without a cluster: --kubernetes-version 1.36")
		}
	}
	inst, err := cni.Compose(ctx, store, survey, request)
	return inst, survey, err
}
