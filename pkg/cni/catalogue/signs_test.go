// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
)

func TestDetectNamesTheNetwork(t *testing.T) {
	cases := map[string]struct {
		name, image string
		labels      map[string]string
		pods        bool // pods have a network of their own
		want        string
	}{
		"flannel by its name":                     {name: "kube-flannel-ds", want: "flannel"},
		"an old flannel by name and architecture": {name: "kube-flannel-ds-arm64", want: "flannel"},
		"calico by its name":                      {name: "calico-node", want: "calico"},
		"canal is not the calico in it":           {name: "canal", image: "docker.io/calico/node:v3", want: "canal"},
		"canal of a distribution by its name, whatever it is labelled": {name: "rke2-canal", image: "docker.io/rancher/hardened-flannel:v0",
			want: "canal"},
		"cilium by its label": {name: "net", labels: map[string]string{"k8s-app": "cilium"}, want: "cilium"},
		"cilium's proxy is not cilium": {name: "cilium-envoy", image: "quay.io/cilium/cilium-envoy:v1",
			labels: map[string]string{"k8s-app": "cilium-envoy"}},
		"antrea by its name":       {name: "antrea-agent", want: "antrea"},
		"kube-ovn by its name":     {name: "kube-ovn-cni", want: "kube-ovn"},
		"weave by its name":        {name: "weave-net", want: "weave"},
		"kube-router by its image": {name: "router", image: "docker.io/cloudnativelabs/kube-router", want: "kube-router"},
		"kindnet by its name":      {name: "kindnet", want: "kindnet"},
		"flannel by the image of a mirror and digest": {name: "x", image: "mirror.local:5000/flannel-io/flannel:v0.28.4@sha256:00",
			want: "flannel"},
		"a calico of a mirror":                   {name: "x", image: "docker.io/rancher/mirrored-calico-node:v3", want: "calico"},
		"an exporter with pods' network is none": {name: "x", labels: map[string]string{"app": "flannel"}, pods: true},
		"kube-proxy is none": {name: "kube-proxy", image: "registry.k8s.io/kube-proxy:v1",
			labels: map[string]string{"k8s-app": "kube-proxy"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			set := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: c.name, Namespace: "ns"}}
			set.Spec.Template.Labels = c.labels
			set.Spec.Template.Spec.HostNetwork = !c.pods
			set.Spec.Template.Spec.Containers = []corev1.Container{{Image: c.image}}
			read, err := facts.Read(t.Context(), fake.NewClientset(&set), Signs())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(read.Networks) > 0 {
				got = read.Networks[0].CNI
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
