// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/finding"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Prepare reads the chart, renders it against the cluster and asks for the
// permissions that writing it takes, so that all that can be known to fail does
// so while nothing is changed. It returns the installation with its action made
// certain, and with what will be written.
func Prepare(ctx context.Context, client kubernetes.Interface, releases release.Store, inst Installation) (Installation, error) {
	if !inst.read {
		return inst, nil
	}
	if err := inst.load(ctx, releases); err != nil || inst.Action == release.Keep {
		return inst, err
	}
	if err := inst.secretsThere(ctx, client); err != nil {
		return inst, err
	}
	known, err := inst.known(client)
	if err != nil {
		return inst, err
	}
	var rendered release.Rendered
	if known {
		rendered, err = releases.Render(ctx, inst.desired())
	} else {
		// The API knows the kinds of this chart once the definitions are applied.
		rendered, err = releases.Template(ctx, inst.desired(), inst.version())
	}
	if err != nil {
		return inst, renderError(inst, err)
	}
	inst.take(rendered)
	return inst, allowed(ctx, client, inst.needs())
}

// load reads the chart, and that of the definitions where there is one.
func (inst *Installation) load(ctx context.Context, releases release.Store) error {
	loaded, err := releases.Load(ctx, inst.Source)
	if err != nil {
		return fmt.Errorf("load chart %s: %w", inst.Source.Name, err)
	}
	if err := inst.settle(loaded); err != nil {
		return err
	}
	inst.Findings = append(inst.Findings, finding.Untested(inst.network, inst.Chart.Version, inst.kubernetes)...)
	before := inst.network.Before
	if before.Chart == "" || minorOf(inst.Chart.Version).before(minorOf(before.Since)) {
		inst.Definitions = chart.Source{}
		return nil
	}
	if inst.Definitions.NeedsVersion() {
		inst.Definitions.Version = inst.Chart.Version
	}
	if inst.Action == release.Keep {
		return nil
	}
	inst.definitions, err = releases.Load(ctx, inst.Definitions)
	if err != nil {
		err = fmt.Errorf("load chart %s, the definitions of %s: %w", inst.Definitions.Name, inst.Source.Name, err)
		return plan.Refuse(err, "bring it along, too: --crd-chart FILE.tgz or --crd-chart DIRECTORY")
	}
	inst.define = true
	return nil
}

// known says whether the API knows the kinds of the chart already.
func (inst Installation) known(client kubernetes.Interface) (bool, error) {
	if !inst.define || len(inst.network.Before.Groups) == 0 {
		return true, nil
	}
	groups, err := client.Discovery().ServerGroups()
	if err != nil {
		return false, fmt.Errorf("list groups of the API: %w", err)
	}
	return slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == inst.network.Before.Groups[0] }), nil
}

// take notes what was rendered, and what an operator makes of it.
func (inst *Installation) take(rendered release.Rendered) {
	inst.Objects, inst.Changes, inst.Images = rendered.Objects, rendered.Changes, rendered.Images
	// Helm installs the definitions in a chart itself, and never upgrades them.
	inst.define = inst.define || rendered.Definitions > 0
	if inst.network.Made != nil {
		for _, image := range inst.network.Made(inst.Chart.Version) {
			through := inst.mirror.Image(image)
			if !slices.ContainsFunc(inst.Images, func(i release.Image) bool { return i.Image == through }) {
				inst.Images = append(inst.Images, release.Image{Image: through, Of: []string{"made by the operator of " + inst.CNI}})
			}
		}
		slices.SortFunc(inst.Images, func(a, b release.Image) int { return strings.Compare(a.Image, b.Image) })
	}
	inst.outside()
}

// version is that of Kubernetes to render for.
func (inst Installation) version() string {
	if inst.kubernetes != "" {
		return inst.kubernetes
	}
	return assumedKubernetes
}

// secretsThere refuses where a Secret to pull images with is not in the namespace.
func (inst Installation) secretsThere(ctx context.Context, client kubernetes.Interface) error {
	for _, name := range inst.secrets {
		_, err := client.CoreV1().Secrets(inst.Namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return plan.Refuse(fmt.Errorf("there is no secret %s in namespace %s to pull images with", name, inst.Namespace),
				"kubectl create namespace %s; kubectl -n %s create secret docker-registry %s --docker-server=… --docker-username=… "+
					"--docker-password=…", text.Quote(inst.Namespace), text.Quote(inst.Namespace), text.Quote(name))
		}
		if err != nil {
			return fmt.Errorf("get secret %s in namespace %s: %w", name, inst.Namespace, err)
		}
	}
	return nil
}

func (inst Installation) desired() release.Desired {
	d := release.Desired{Namespace: inst.Namespace, Name: inst.Release, Chart: inst.Chart, Values: inst.values, Action: inst.Action,
		Adopt: inst.adopt}
	if !inst.mirror.Empty() {
		d.Through = inst.mirror.Image
	}
	return d
}

// defining is the chart of the definitions, or the chart itself with those in it.
func (inst Installation) defining() release.Desired {
	if inst.definitions.Name == "" {
		return inst.desired()
	}
	return release.Desired{Namespace: inst.Namespace, Name: inst.Release + "-definitions", Chart: inst.definitions}
}

// renderError adds the way out to what Helm says.
func renderError(inst Installation, err error) error {
	err = fmt.Errorf("render chart %s %s: %w", inst.Chart.Name, inst.Chart.Version, err)
	if strings.Contains(err.Error(), "cannot be imported into the current release") {
		return plan.Refuse(err, "these objects were applied by hand: --adopt makes them the release's, and --dry-run shows what would change")
	}
	if apierrors.IsForbidden(err) {
		return plan.Refuse(err, "%s", askHint)
	}
	if plan.HintOf(err) != "" {
		return err
	}
	return plan.Refuse(err, "the chart and these values do not go together, or not with this Kubernetes: check --version, --set and --values")
}
