// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// Contents says what Remove would delete: what is in the manifest of the newest
// revision, and the record of each.
func (c Client) Contents(ctx context.Context, r release.Release) (release.Contents, error) {
	defer quiet()()
	var out release.Contents
	if err := ctx.Err(); err != nil {
		return out, err
	}
	cfg, err := c.configuration(r.Namespace)
	if err != nil {
		return out, err
	}
	stored, err := cfg.Releases.Get(r.Name, r.Revision)
	if err != nil {
		return out, err
	}
	built, err := cfg.KubeClient.Build(strings.NewReader(stored.Manifest), false)
	if err != nil {
		return out, fmt.Errorf("read what release %s holds: %w", r.Name, err)
	}
	for _, info := range built {
		m := info.Mapping.Resource
		o := release.Object{Group: m.Group, Resource: m.Resource, Namespace: info.Namespace, Name: info.Name}
		if policy, err := policyOf(info.Object); err == nil && policy == kube.KeepPolicy {
			out.Kept = append(out.Kept, o)
			continue
		}
		out.Objects = append(out.Objects, o)
	}
	history, err := cfg.Releases.History(r.Name)
	if err != nil {
		return out, err
	}
	for _, revision := range history {
		for _, o := range c.record(release.Desired{Namespace: r.Namespace, Name: r.Name}) {
			o.Name += fmt.Sprintf(".v%d", revision.Version)
			out.Objects = append(out.Objects, o)
		}
	}
	for _, h := range stored.Hooks {
		if slices.Contains(h.Events, helmrelease.HookPreDelete) || slices.Contains(h.Events, helmrelease.HookPostDelete) {
			out.Hooks = append(out.Hooks, strings.ToLower(h.Kind)+" "+h.Name)
		}
	}
	return out, nil
}

// policyOf is what an object's annotation says of its deletion.
func policyOf(object runtime.Object) (string, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return "", err
	}
	return accessor.GetAnnotations()[kube.ResourcePolicyAnno], nil
}

// Remove uninstalls a release. Helm cannot be interrupted in it.
func (c Client) Remove(ctx context.Context, r release.Release) error {
	defer quiet()()
	if err := ctx.Err(); err != nil {
		return err
	}
	cfg, err := c.configuration(r.Namespace)
	if err != nil {
		return err
	}
	uninstall := action.NewUninstall(cfg)
	uninstall.Timeout = hookTimeout
	uninstall.DeletionPropagation = "background"
	_, err = uninstall.Run(r.Name)
	return err
}
