// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// Render has the chart rendered against the cluster, without a change.
func (c Client) Render(ctx context.Context, desired release.Desired) (release.Rendered, error) {
	defer quiet()()
	if err := ctx.Err(); err != nil {
		return release.Rendered{}, err
	}
	cfg, err := c.configuration(desired.Namespace)
	if err != nil {
		return release.Rendered{}, err
	}
	loaded, err := assemble(desired.Chart)
	if err != nil {
		return release.Rendered{}, err
	}
	install := c.install(cfg, desired)
	install.DryRun, install.DryRunOption = true, "server"
	rendered, err := install.RunWithContext(ctx, loaded, values.Clone(desired.Values))
	if err != nil {
		return release.Rendered{}, err
	}
	built, err := cfg.KubeClient.Build(strings.NewReader(rendered.Manifest), false)
	if err != nil {
		return release.Rendered{}, err
	}
	out := release.Rendered{Images: imagesOf(rendered), Definitions: len(loaded.CRDObjects()), Manifest: rendered.Manifest}
	for _, info := range built {
		m := info.Mapping.Resource
		out.Objects = append(out.Objects, release.Object{Group: m.Group, Resource: m.Resource, Namespace: info.Namespace, Name: info.Name})
	}
	out.Objects = append(out.Objects, c.record(desired)...)
	if desired.Action == release.Upgrade || desired.Adopt {
		out.Changes, err = changes(ctx, built)
	}
	return out, err
}

// record is the object in which Helm records a release.
func (c Client) record(desired release.Desired) []release.Object {
	o := release.Object{Namespace: desired.Namespace, Name: "sh.helm.release.v1." + desired.Name}
	switch c.Driver {
	case "", "secret", "secrets":
		o.Resource = "secrets"
	case "configmap", "configmaps":
		o.Resource = "configmaps"
	default:
		return nil
	}
	return []release.Object{o}
}

// Template renders the chart without the cluster.
func (c Client) Template(ctx context.Context, desired release.Desired, kubernetes string) (release.Rendered, error) {
	defer quiet()()
	rendered, definitions, err := c.template(ctx, desired, kubernetes)
	if err != nil {
		return release.Rendered{}, err
	}
	out := release.Rendered{Images: imagesOf(rendered), Definitions: len(definitions), Objects: c.record(desired), Manifest: rendered.Manifest}
	for _, doc := range separator().Split(rendered.Manifest, -1) {
		var object struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name      string `json:"name"`
				Namespace string `json:"namespace"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal([]byte(doc), &object); err != nil {
			return release.Rendered{}, fmt.Errorf("read rendered chart: %w", err)
		}
		if object.Kind == "" {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(object.APIVersion, object.Kind))
		out.Objects = append(out.Objects, release.Object{Group: plural.Group, Resource: plural.Resource, Namespace: object.Metadata.Namespace,
			Name: object.Metadata.Name})
	}
	return out, nil
}

// template renders a chart, and lists its definitions of custom resources.
func (c Client) template(ctx context.Context, desired release.Desired, kubernetes string) (*helmrelease.Release, []string, error) {
	loaded, err := assemble(desired.Chart)
	if err != nil {
		return nil, nil, err
	}
	version, err := chartutil.ParseKubeVersion(kubernetes)
	if err != nil {
		return nil, nil, plan.As(plan.Misused, fmt.Errorf("read version of Kubernetes: %w", err))
	}
	install := c.install(new(action.Configuration), desired)
	install.DryRun, install.DryRunOption, install.ClientOnly, install.KubeVersion = true, "client", true, version
	install.Replace = true // Helm asks its storage for the name otherwise, and there is none
	rendered, err := install.RunWithContext(ctx, loaded, values.Clone(desired.Values))
	if err != nil {
		return nil, nil, err
	}
	var definitions []string
	for _, crd := range loaded.CRDObjects() {
		definitions = append(definitions, string(crd.File.Data))
	}
	for _, doc := range separator().Split(rendered.Manifest, -1) {
		if strings.Contains(doc, "kind: CustomResourceDefinition") {
			definitions = append(definitions, doc)
		}
	}
	return rendered, definitions, nil
}
