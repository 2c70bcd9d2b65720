// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/catalogue"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/helm"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/values"
)

// module is where the sources of a project are, its own chart among them; the test
// is skipped where they cannot be had.
func module(t *testing.T, path, version string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(strings.TrimSpace(string(out)), path+"@"+version)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	download := exec.CommandContext(t.Context(), "go", "mod", "download", path+"@"+version)
	download.Dir = t.TempDir()
	if out, err := download.CombinedOutput(); err != nil {
		t.Skipf("the sources of %s %s cannot be had: %s", path, version, out)
	}
	return folder
}

// composed renders a project's own chart as it would be installed.
func composed(t *testing.T, f facts.Facts, req Request) (Installation, string) {
	t.Helper()
	kept := &keeping{}
	inst, err := Compose(t.Context(), kept, f, req)
	if err != nil {
		t.Fatal(err)
	}
	return inst, kept.manifest
}

// keeping is Helm, and keeps what it renders.
type keeping struct {
	helm.Client
	manifest string
}

func (k *keeping) Template(ctx context.Context, desired release.Desired, kubernetes string) (release.Rendered, error) {
	rendered, err := k.Client.Template(ctx, desired, kubernetes)
	k.manifest = rendered.Manifest
	return rendered, err
}

func holds(t *testing.T, manifest string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(manifest, want) {
			t.Errorf("there is no %q in what was rendered", want)
		}
	}
}

// fromMirror wants every image to come through the mirror.
func fromMirror(t *testing.T, inst Installation, names ...string) {
	t.Helper()
	for _, i := range inst.Images {
		if !strings.HasPrefix(i.Image, "m.example.com:5000/p/") {
			t.Errorf("%s of %v does not come through the mirror", i.Image, i.Of)
		}
	}
	for _, name := range names {
		found := false
		for _, i := range inst.Images {
			found = found || strings.HasPrefix(i.Image, "m.example.com:5000/p/"+name+":")
		}
		if !found {
			t.Errorf("no image %s in %v", name, inst.Images)
		}
	}
	if len(inst.Outside) > 0 {
		t.Errorf("outside of the mirror: %v", inst.Outside)
	}
}

func TestCiliumsOwnChartFollowsTheCluster(t *testing.T) {
	source := filepath.Join(module(t, "github.com/cilium/cilium", "v1.19.1"), "install/kubernetes/cilium")
	everywhere := Request{CNI: "cilium", Chart: source, Mirror: through(t, "*=m.example.com:5000/p")}
	t.Run("with kube-proxy", func(t *testing.T) {
		inst, manifest := composed(t, kubeadmFacts(), everywhere)
		holds(t, manifest, `ipam: "kubernetes"`, `kube-proxy-replacement: "false"`, "replicas: 2")
		if strings.Contains(manifest, "10.0.0.0/8") {
			t.Error("the chart's own pool is still there")
		}
		fromMirror(t, inst, "cilium/cilium", "cilium/operator-generic", "cilium/cilium-envoy")
	})
	t.Run("without kube-proxy, on one node", func(t *testing.T) {
		_, manifest := composed(t, kubeadmFacts(func(f *facts.Facts) {
			f.Proxy, f.Endpoint, f.Nodes = facts.Proxy{}, "powercess.com:6443", f.Nodes[:1]
		}), everywhere)
		holds(t, manifest, `kube-proxy-replacement: "true"`, "replicas: 1", "name: KUBERNETES_SERVICE_HOST", `value: "powercess.com"`,
			"name: KUBERNETES_SERVICE_PORT", `value: "6443"`)
	})
	t.Run("with a pool of its own", func(t *testing.T) {
		_, manifest := composed(t, kubeadmFacts(func(f *facts.Facts) { f.Nodes[0].PodCIDRs, f.Nodes[1].PodCIDRs = nil, nil }), everywhere)
		holds(t, manifest, `ipam: "cluster-pool"`, `cluster-pool-ipv4-cidr: "10.244.0.0/16"`)
	})
	t.Run("with all that it can have", func(t *testing.T) {
		all := everywhere
		all.Values = map[string]any{
			"hubble": map[string]any{"relay": map[string]any{"enabled": true}, "ui": map[string]any{"enabled": true},
				"tls": map[string]any{"auto": map[string]any{"method": "cronJob"}}},
			"nodeinit": map[string]any{"enabled": true}, "preflight": map[string]any{"enabled": true},
			"authentication": map[string]any{"enabled": true, "mutual": map[string]any{"spire": map[string]any{"enabled": true,
				"install": map[string]any{"enabled": true}}}},
		}
		inst, _ := composed(t, kubeadmFacts(), all)
		fromMirror(t, inst, "cilium/hubble-relay", "cilium/hubble-ui", "cilium/certgen", "cilium/startup-script", "spiffe/spire-server",
			"library/busybox")
	})
}

func TestFlannelsOwnChartFollowsTheCluster(t *testing.T) {
	flannel, err := catalogue.Find("flannel")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(module(t, "github.com/flannel-io/flannel", flannel.Version), "chart/kube-flannel")
	inst, manifest := composed(t, kubeadmFacts(func(f *facts.Facts) {
		f.Pods.CIDRs[0] = f.Nodes[0].PodCIDRs[0].Masked()
		f.Nodes = f.Nodes[:1]
	}), Request{CNI: "flannel", Chart: source, Mirror: through(t, "*=m.example.com:5000/p"), PullSecrets: []string{"regcred"},
		Values: map[string]any{"netpol": map[string]any{"enabled": true}}})
	holds(t, manifest, `"Network": "10.244.0.0/24"`, "name: regcred")
	fromMirror(t, inst, "flannel-io/flannel", "flannel-io/flannel-cni-plugin", "networking/kube-network-policies")
	if _, err := inst.Chart.Values(); err != nil {
		t.Error(err)
	}
}

func TestTheDefaultsThatImagesAreNamedWithAreTheCharts(t *testing.T) {
	for name, source := range map[string]string{
		"cilium":  filepath.Join(module(t, "github.com/cilium/cilium", "v1.19.1"), "install/kubernetes/cilium"),
		"flannel": filepath.Join(module(t, "github.com/flannel-io/flannel", "v0.28.4"), "chart/kube-flannel"),
	} {
		network, err := catalogue.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := helm.Client{}.Load(t.Context(), chart.Source{Chart: source, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		own, err := loaded.Values()
		if err != nil {
			t.Fatal(err)
		}
		for _, image := range network.Images {
			if got := values.Text(own, image.Path); got != image.From {
				t.Errorf("%s: value %s is %q, not %q", name, image.Path, got, image.From)
			}
		}
	}
}

func TestChartsOfTheOtherShapesFollowTheCluster(t *testing.T) {
	m, secrets := through(t, "*=m.example.com:5000/p"), []string{"regcred"}
	bare := func(f *facts.Facts) { f.Proxy, f.Endpoint = facts.Proxy{}, "powercess.com:6443" }
	for name, c := range map[string]struct {
		facts  facts.Facts
		req    Request
		holds  []string
		images []string
	}{
		"an operator that is told by a resource": {kubeadmFacts(bare), Request{CNI: "calico", Chart: "testdata/tigera-operator",
			Definitions: "testdata/definitions"},
			[]string{"cidr: 10.244.0.0/16", "linuxDataplane: BPF", `value: "powercess.com"`, "registry: m.example.com:5000/",
				"imagePath: p/calico", "name: regcred"},
			[]string{"tigera/operator", "calico/node", "calico/typha"}},
		"images without a registry": {kubeadmFacts(bare), Request{CNI: "antrea", Chart: "testdata/antrea"},
			[]string{`kubeAPIServerOverride: "https://powercess.com:6443"`, "proxyAll: true"},
			[]string{"antrea/antrea-agent-ubuntu", "antrea/antrea-controller-ubuntu"}},
		"labels of nodes, and one registry for all": {kubeadmFacts(), Request{CNI: "kube-ovn", Chart: "testdata/kube-ovn-v2"},
			[]string{"--default-cidr=10.244.0.0/16", "--default-gateway=10.244.0.1", "--service-cluster-ip-range=10.96.0.0/12",
				"key: node-role.kubernetes.io/control-plane", "name: regcred"},
			[]string{"kubeovn/kube-ovn", "kubeovn/vpc-nat-gateway"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.Mirror, c.req.PullSecrets = m, secrets
			inst, manifest := composed(t, c.facts, c.req)
			holds(t, manifest, c.holds...)
			fromMirror(t, inst, c.images...)
			for _, s := range inst.Settings {
				if strings.HasPrefix(s.Reason, "kept") {
					t.Errorf("%s has the reason %q", s.Path, s.Reason)
				}
			}
		})
	}
}
