// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/mirror"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func through(t *testing.T, words ...string) mirror.Map {
	t.Helper()
	m, err := mirror.Parse(words)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestChartAndImagesComeThroughTheMirror(t *testing.T) {
	for name, c := range map[string]struct {
		req    Request
		chart  string
		values map[string]string
	}{
		"Cilium's chart is in its registry, too": {Request{CNI: "cilium", Mirror: through(t, "quay.io=m.io/q")},
			"oci://m.io/q/cilium/charts/cilium",
			map[string]string{"image.repository": "m.io/q/cilium/cilium", "operator.image.repository": "m.io/q/cilium/operator",
				"authentication.mutual.spire.install.initImage.repository": ""}},
		"flannel's chart is not": {Request{CNI: "flannel", Mirror: through(t, "*=m.io")}, "https://flannel-io.github.io/flannel",
			map[string]string{"flannel.image.repository": "m.io/flannel-io/flannel",
				"netpol.image.repository": "m.io/networking/kube-network-policies"}},
		"a person's chart, by its own name": {Request{CNI: "cilium", Chart: "oci://quay.io/x/cilium", Mirror: through(t, "quay.io=m.io")},
			"oci://m.io/x/cilium", nil},
		"Calico's operator is told, too": {Request{CNI: "calico", Mirror: through(t, "quay.io=m.io/q")},
			"oci://m.io/q/calico/charts/tigera-operator",
			map[string]string{"tigeraOperator.registry": "m.io/q", "installation.registry": "m.io/", "installation.imagePath": "q/calico"}},
		"Kube-OVN's beginning of names": {Request{CNI: "kube-ovn", Mirror: through(t, "docker.io=m.io")},
			"oci://ghcr.io/kubeovn/charts/kube-ovn-v2",
			map[string]string{"global.registry.address": "m.io/kubeovn"}},
		"a person's values are the last": {Request{CNI: "flannel", Mirror: through(t, "*=m.io"),
			Values: map[string]any{"flannel": map[string]any{"image": map[string]any{"repository": "n.io/f"}}}},
			"https://flannel-io.github.io/flannel", map[string]string{"flannel.image.repository": "n.io/f"}},
		"Secrets are objects in most charts": {Request{CNI: "cilium", PullSecrets: []string{"regcred"}}, "https://helm.cilium.io",
			map[string]string{"imagePullSecrets": "map[name:regcred]"}},
		"and names in Kube-OVN's": {Request{CNI: "kube-ovn", PullSecrets: []string{"a", "b"}}, "oci://ghcr.io/kubeovn/charts/kube-ovn-v2",
			map[string]string{"global.registry.imagePullSecrets": "a,b"}},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := Decide(kubeadmFacts(), c.req)
			if err != nil {
				t.Fatal(err)
			}
			if inst.Source.Chart != c.chart {
				t.Errorf("chart %s, want %s", inst.Source.Chart, c.chart)
			}
			for path, want := range c.values {
				if got := values.Text(inst.values, path); got != want {
					t.Errorf("%s=%s, want %s", path, got, want)
				}
			}
			for _, s := range inst.Settings {
				if s.Reason == "" || strings.HasPrefix(s.Reason, "kept") {
					t.Errorf("%s has the reason %q", s.Path, s.Reason)
				}
			}
		})
	}
}

func TestWhatNoMirrorServesIsNamed(t *testing.T) {
	inst, err := Decide(kubeadmFacts(), Request{CNI: "flannel", Mirror: through(t, "ghcr.io=m.io/g")})
	if err != nil {
		t.Fatal(err)
	}
	inst.take(release.Rendered{Images: []release.Image{{Image: "m.io/g/x:1"}, {Image: "docker.io/y:1"}, {Image: "m.io/z:1"}}})
	if want := []string{"docker.io/y:1", "m.io/z:1"}; !slices.Equal(inst.Outside, want) {
		t.Errorf("outside: %v, want %v", inst.Outside, want)
	}
	for _, want := range []string{"the chart flannel comes from https://flannel-io", "not through a mirror: docker.io/y:1, m.io/z:1"} {
		if !slices.ContainsFunc(inst.Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("no note %q in %q", want, inst.Notes)
		}
	}
}

func TestASecretToPullWithHasToBeThere(t *testing.T) {
	inst, err := Decide(kubeadmFacts(), Request{CNI: "flannel", PullSecrets: []string{"regcred"}})
	if err != nil {
		t.Fatal(err)
	}
	err = inst.secretsThere(t.Context(), fake.NewClientset())
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(plan.HintOf(err), "create secret docker-registry regcred") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "regcred", Namespace: "kube-flannel"}}
	if err := inst.secretsThere(t.Context(), fake.NewClientset(secret)); err != nil {
		t.Error(err)
	}
}

func TestCalicosDefinitionsComeFirst(t *testing.T) {
	operator := chart.Chart{Name: "tigera-operator", Version: "v3.32.1", Digest: "d"}
	crds := chart.Chart{Name: "crd.projectcalico.org.v1", Version: "v3.32.1"}
	for name, c := range map[string]struct {
		version string
		served  bool
		asked   []string
		steps   []string
	}{
		"the API does not know them: rendered without it": {"v3.32.1", false,
			[]string{"load tigera-operator", "load crd.projectcalico.org.v1", "template calico for v1.36.0"},
			[]string{"namespace", "definitions", "release", "network"}},
		"it knows them: checked against it, and applied again": {"v3.32.1", true,
			[]string{"load tigera-operator", "load crd.projectcalico.org.v1", "render calico"},
			[]string{"namespace", "definitions", "release", "network"}},
		"before 3.32 they are in the chart": {"v3.31.3", false, []string{"load tigera-operator", "render calico"},
			[]string{"namespace", "release", "network"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := reviewing(fake.NewClientset())
			if c.served {
				client.Resources = []*metav1.APIResourceList{{GroupVersion: "operator.tigera.io/v1"}}
			}
			operator.Version = c.version
			releases := &fakeReleases{charts: map[string]chart.Chart{"tigera-operator": operator, "crd.projectcalico.org.v1": crds}}
			inst, err := Decide(kubeadmFacts(), Request{CNI: "calico", Version: c.version})
			if err != nil {
				t.Fatal(err)
			}
			inst, err = Prepare(t.Context(), client, releases, inst)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(releases.asked, c.asked) {
				t.Errorf("it asked %v, want %v", releases.asked, c.asked)
			}
			if got := Recipe(client, releases, inst).IDs(); !slices.Equal(got, c.steps) {
				t.Errorf("steps %v, want %v", got, c.steps)
			}
			if !slices.ContainsFunc(inst.Images, func(i release.Image) bool { return strings.HasPrefix(i.Image, "quay.io/calico/node:v3.3") }) {
				t.Errorf("what the operator makes is not in %v", inst.Images)
			}
		})
	}
}

func TestAnUpgradeGoesOneMinorAtATime(t *testing.T) {
	for name, c := range map[string]struct{ cni, was, is, says string }{
		"the next":                    {"cilium", "1.18.4", "1.19.1", ""},
		"a patch":                     {"cilium", "1.19.0", "1.19.1", ""},
		"the one after":               {"cilium", "1.17.3", "1.19.1", "from 1.17.3 to 1.19.1 leaves 1.18 out"},
		"back by one":                 {"cilium", "1.19.1", "1.18.4", ""},
		"back by two":                 {"cilium", "1.19.1", "1.17.4", "leaves 1.18 out"},
		"a network that does not ask": {"flannel", "v0.25.0", "v0.28.4", ""},
		"a version that is none":      {"cilium", "x", "1.19.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inst, err := Decide(kubeadmFacts(), Request{CNI: c.cni})
			if err != nil {
				t.Fatal(err)
			}
			inst.prior = release.Release{Revision: 1, Status: release.Deployed, Version: c.was, Values: map[string]any{}}
			err = inst.settle(chart.Chart{Name: c.cni, Version: c.is})
			if err != nil && inst.Source.Version != "" {
				inst.Source.Version = ""
				err = inst.settle(chart.Chart{Name: c.cni, Version: c.is})
			}
			if c.says == "" != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.says) || plan.HintOf(err) == "") {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// shelf is a registry in memory.
type shelf map[string][]string

func (s shelf) Architectures(_ context.Context, image string) ([]string, error) {
	if found, ok := s[image]; ok {
		return found, nil
	}
	return nil, errors.New("it is not there")
}

func TestProveRefusesWhatANodeCouldNotPull(t *testing.T) {
	f := kubeadmFacts()
	f.Nodes[0].Arch, f.Nodes[1].Arch = "amd64", "arm64"
	inst := Installation{CNI: "flannel", Images: []release.Image{{Image: "m/a:1"}, {Image: "m/b:1"}}}
	both := []string{"amd64", "arm64"}
	for name, c := range map[string]struct {
		shelf shelf
		says  string
	}{
		"all are there":             {shelf{"m/a:1": both, "m/b:1": both}, ""},
		"one is not there":          {shelf{"m/a:1": both}, "1 of 2 images cannot be pulled:\nm/b:1: it is not there"},
		"one is not for every node": {shelf{"m/a:1": both, "m/b:1": {"amd64"}}, "m/b:1: not for arm64, which nodes have"},
	} {
		t.Run(name, func(t *testing.T) {
			proofs, err := Prove(t.Context(), c.shelf, f, inst)
			if len(proofs) != 2 || c.says == "" != (err == nil) {
				t.Fatalf("%v, %v", proofs, err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.says) || plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "") {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
