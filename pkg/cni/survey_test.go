// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cidr"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
)

// fakeReleases is a release.Store in memory; it writes down what is asked of it.
type fakeReleases struct {
	found   release.Release
	chart   chart.Chart
	charts  map[string]chart.Chart // by name, before chart
	objects []release.Object
	// definitions are those in the chart itself.
	definitions int
	asked       []string
	fail        map[string]error // by method
	onApply     func()
}

func (f *fakeReleases) note(method string) error {
	f.asked = append(f.asked, method)
	return f.fail[strings.Fields(method)[0]]
}

func (f *fakeReleases) Find(_ context.Context, namespace, name string) (release.Release, error) {
	err := f.note("find " + namespace + "/" + name)
	if f.found.Name != name || f.found.Namespace != namespace {
		return release.Release{}, err
	}
	return f.found, err
}

func (f *fakeReleases) Load(_ context.Context, s chart.Source) (chart.Chart, error) {
	if other, ok := f.charts[s.Name]; ok {
		return other, f.note("load " + s.Name)
	}
	return f.chart, f.note("load " + s.Name)
}

func (f *fakeReleases) Render(_ context.Context, d release.Desired) (release.Rendered, error) {
	return release.Rendered{Objects: f.objects, Definitions: f.definitions}, f.note("render " + d.Name)
}

func (f *fakeReleases) Template(_ context.Context, d release.Desired, kubernetes string) (release.Rendered, error) {
	return release.Rendered{Objects: f.objects, Definitions: f.definitions}, f.note("template " + d.Name + " for " + kubernetes)
}

func (f *fakeReleases) Define(_ context.Context, d release.Desired) (int, error) {
	return 1, f.note("define " + d.Chart.Name)
}

func (f *fakeReleases) Apply(_ context.Context, d release.Desired) error {
	if f.onApply != nil {
		f.onApply()
	}
	return f.note("apply " + string(d.Action))
}

func (f *fakeReleases) Unlock(_ context.Context, r release.Release) error {
	return f.note("unlock " + string(r.Status))
}

func configMapOf(name, key, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}, Data: map[string]string{key: value}}
}

func kubeadmObjects() []runtime.Object {
	return []runtime.Object{
		configMapOf("kubeadm-config", "ClusterConfiguration",
			"networking:\n  podSubnet: 10.244.0.0/16,fd00::/56\n  serviceSubnet: 10.96.0.0/16\n"),
		configMapOf("kube-proxy", "config.conf", "clusterCIDR: 10.244.0.0/16\nmode: iptables\n"),
		cnitest.Node("b"),
		cnitest.Node("a", func(n *corev1.Node) {
			n.Spec.PodCIDRs = []string{"10.244.0.0/24"}
			n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.2"},
				{Type: corev1.NodeHostName, Address: "a"}}
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse,
				Message: "cni plugin not initialized"}}
		}),
		&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy", Namespace: "kube-system"}},
		&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel-ds", Namespace: "net", Annotations: map[string]string{
			"meta.helm.sh/release-name": "my-flannel", "meta.helm.sh/release-namespace": "net",
		}}},
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system",
			Labels: map[string]string{"k8s-app": "kube-dns"}}},
	}
}

func TestSurveyReadsAKubeadmCluster(t *testing.T) {
	releases := &fakeReleases{found: release.Release{Name: "my-flannel", Namespace: "net", Revision: 2}}
	got, err := Survey(t.Context(), fake.NewClientset(kubeadmObjects()...), releases)
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Facts{
		Pods:     facts.Range{CIDRs: cnitest.CIDRs("10.244.0.0/16", "fd00::/56"), Source: "podSubnet of configmap kube-system/kubeadm-config"},
		Services: facts.Range{CIDRs: cnitest.CIDRs("10.96.0.0/16"), Source: "serviceSubnet of configmap kube-system/kubeadm-config"},
		Proxy:    facts.Proxy{Present: true, CIDRs: cnitest.CIDRs("10.244.0.0/16"), Mode: "iptables"},
		Nodes: []facts.Node{
			{Name: "a", OS: "linux", Message: "cni plugin not initialized", PodCIDRs: cnitest.CIDRs("10.244.0.0/24"),
				Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}, Labels: map[string]string{corev1.LabelOSStable: "linux"}},
			{Name: "b", OS: "linux", Message: "its kubelet has not reported yet", Labels: map[string]string{corev1.LabelOSStable: "linux"}},
		},
		Networks: []facts.Network{{CNI: "flannel", Namespace: "net", DaemonSet: "kube-flannel-ds", Release: "my-flannel",
			ReleaseNamespace: "net"}},
		DNS:      facts.DNS{Name: "coredns", Desired: 1},
		Releases: []release.Release{releases.found},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(releases.asked, "find net/my-flannel") || slices.Contains(releases.asked, "find kube-flannel/flannel") {
		t.Errorf("it asked for %v, and not for the release that the agents name", releases.asked)
	}
}

func TestSurveyTakesWhatThereIs(t *testing.T) {
	service := &networkingv1.ServiceCIDR{ObjectMeta: metav1.ObjectMeta{Name: "kubernetes"},
		Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"10.0.0.0/24"}}}
	proxy := configMapOf("kube-proxy", "config.conf", "clusterCIDR: 10.1.0.0/16\n")
	got, err := Survey(t.Context(), fake.NewClientset(service, proxy), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cidr.List(got.Pods.CIDRs) != "10.1.0.0/16" || cidr.List(got.Services.CIDRs) != "10.0.0.0/24" ||
		got.Services.Source != "servicecidr kubernetes" {
		t.Errorf("pods %v, services %v", got.Pods, got.Services)
	}
	empty, err := Survey(t.Context(), fake.NewClientset(), nil)
	if err != nil || len(empty.Pods.CIDRs)+len(empty.Nodes)+len(empty.Networks) > 0 || empty.DNS.Name != "" {
		t.Errorf("%+v, %v", empty, err)
	}
}

func TestSurveyNamesWhatItCannotRead(t *testing.T) {
	forbidden := func(verb, resource string) func(*fake.Clientset) {
		return func(c *fake.Clientset) {
			c.PrependReactor(verb, resource, func(k8stesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
			})
		}
	}
	cases := map[string]struct {
		objects []runtime.Object
		change  func(*fake.Clientset)
		says    string
	}{
		"nodes that may not be listed":     {change: forbidden("list", "nodes"), says: "list nodes: nodes is forbidden"},
		"a ConfigMap that may not be read": {change: forbidden("get", "configmaps"), says: "get configmap kube-system/kube"},
		"a range that is none": {
			objects: []runtime.Object{configMapOf("kubeadm-config", "ClusterConfiguration", "networking: {podSubnet: ten}")},
			says:    `read podSubnet of configmap kube-system/kubeadm-config: "ten" is not a CIDR`,
		},
		"a configuration that is no YAML": {
			objects: []runtime.Object{configMapOf("kube-proxy", "config.conf", "a: [")}, says: "read configmap kube-system/kube-proxy",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(c.objects...)
			if c.change != nil {
				c.change(client)
			}
			if _, err := Survey(t.Context(), client, nil); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
	t.Run("a ServiceCIDR that may not be read is done without", func(t *testing.T) {
		client := fake.NewClientset()
		forbidden("get", "servicecidrs")(client)
		if _, err := Survey(t.Context(), client, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("a release that may not be looked for", func(t *testing.T) {
		releases := &fakeReleases{fail: map[string]error{"find": errors.New("forbidden")}}
		_, err := Survey(t.Context(), fake.NewClientset(), releases)
		if err == nil || !strings.Contains(err.Error(), "find release cilium in namespace kube-system: forbidden") {
			t.Error(err)
		}
	})
}
