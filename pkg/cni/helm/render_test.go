// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	helmrelease "helm.sh/helm/v3/pkg/release"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// withHook has an agent with a container that prepares, a CronJob, and a hook.
const withHook = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec: {template: {spec: {initContainers: [{name: i, image: "q.io/a:1"}], containers: [{name: c, image: "q.io/b:1"}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: certs}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: "q.io/a:1"}]}}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {image: "not an image"}
`

func TestEveryImageIsFoundHooksToo(t *testing.T) {
	rendered := &helmrelease.Release{Manifest: withHook, Hooks: []*helmrelease.Hook{
		{Manifest: "kind: Job\nmetadata: {name: cleanup}\nspec: {template: {spec: {containers: [{image: 'q.io/h:1'}, {image: 'q.io/b:1'}]}}}\n"},
	}}
	want := []release.Image{
		{Image: "q.io/a:1", Of: []string{"cronjob certs", "daemonset agent"}},
		{Image: "q.io/b:1", Of: []string{"daemonset agent", "job cleanup"}},
		{Image: "q.io/h:1", Of: []string{"job cleanup"}, Hook: true},
	}
	if diff := cmp.Diff(want, imagesOf(rendered)); diff != "" {
		t.Error(diff)
	}
}

func TestImagesThatNoValueSendsAreSentAllTheSame(t *testing.T) {
	sent, err := sendImages([]byte(withHook), func(image string) string { return strings.Replace(image, "q.io/", "m.io/", 1) })
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sent), "q.io/") || strings.Count(string(sent), "m.io/") != 3 ||
		!strings.Contains(string(sent), "not an image") {
		t.Errorf("%s", sent)
	}
	if same, err := sendImages([]byte(withHook), nil); err != nil || string(same) != withHook {
		t.Errorf("without a mirror it is changed: %v", err)
	}
	if same, err := sendImages([]byte(withHook), func(i string) string { return i }); err != nil || string(same) != withHook {
		t.Errorf("what is not sent is changed: %v\n%s", err, same)
	}
}

func TestTemplateAsksNoCluster(t *testing.T) {
	loaded, err := Client{}.Load(t.Context(), chart.Source{Chart: "testdata/chart", Name: "flannel"})
	if err != nil {
		t.Fatal(err)
	}
	desired := release.Desired{Namespace: "ns", Name: "flannel", Chart: loaded, Action: release.Upgrade}
	got, err := Client{}.Template(t.Context(), desired, "v1.36.0")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Objects) < 2 || len(got.Images) == 0 || got.Manifest == "" {
		t.Errorf("%+v", got)
	}
	if _, err := (Client{}).Template(t.Context(), desired, "new"); plan.ClassOf(err) != plan.Misused {
		t.Errorf("a version that is none: %v", err)
	}
}

func TestAnUpgradeShowsTheFieldsThatChange(t *testing.T) {
	object := func(image, secret string) map[string]any {
		return map[string]any{
			"kind": "X", "metadata": map[string]any{"name": "x", "resourceVersion": image, "managedFields": []any{image},
				"annotations": map[string]any{"deprecated.daemonset.template.generation": image}},
			"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": image}}}, "data": map[string]any{"key": secret},
			"status": map[string]any{"n": image},
		}
	}
	for name, c := range map[string]struct {
		after  map[string]any
		secret bool
		want   []string
	}{
		"nothing":             {object("a:1", "one"), false, nil},
		"an image, by name":   {object("a:2", "one"), false, []string{"spec.containers[c].image: a:1 → a:2"}},
		"a Secret is unshown": {object("a:1", "two"), true, []string{"data.key: changed (not shown)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := differ(object("a:1", "one"), c.after, c.secret)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAStampFindsRoomWhereAnnotationsAreEmpty(t *testing.T) {
	stamped, err := stampConfig([]byte(`kind: ConfigMap
metadata: {name: c}
data: {k: v}
---
kind: DaemonSet
metadata: {name: d}
spec:
  template:
    metadata:
      annotations:
    spec: {volumes: [{name: c, configMap: {name: c}}]}
`))
	if err != nil || !strings.Contains(string(stamped), configAnnotation) {
		t.Errorf("%v\n%s", err, stamped)
	}
}
