// SPDX-License-Identifier: Apache-2.0

package upgradeplan

import (
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/upgrade"
)

func TestDeprecatedAPIsAreReadFromMetrics(t *testing.T) {
	const name = "apiserver_requested_deprecated_apis"
	metrics := strings.Join([]string{"# HELP " + name + " Gauge of deprecated APIs",
		name + `{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1`,
		name + `{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",resource="flowschemas",subresource="",version="v1beta3"} 1`,
		name + `{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",resource="flowschemas",subresource="status",version="v1beta3"} 1`,
		name + `{group="x.k8s.io",removed_release="1.40",resource="unasked",subresource="",version="v1"} 0`,
		"apiserver_request_total{group=\"x\"} 1"}, "\n")
	all, err := Requested(strings.NewReader(metrics))
	if want := []upgrade.Requested{{Group: "flowcontrol.apiserver.k8s.io", Version: "v1beta3", Resource: "flowschemas",
		Removed: "1.32"}}; err != nil ||
		!slices.Equal(all, want) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := Requested(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without an end is read")
	}
}

func TestAWebhookAnswersThroughAnEndpointThatIsReady(t *testing.T) {
	ignore, no := admissionv1.Ignore, false
	where := func(service string) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{Service: &admissionv1.ServiceReference{Namespace: "a", Name: service}}
	}
	slice := func(service string, ready *bool) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: service, Namespace: "a",
			Labels: map[string]string{discoveryv1.LabelServiceName: service}},
			Endpoints: []discoveryv1.Endpoint{{Conditions: discoveryv1.EndpointConditions{Ready: ready}}}}
	}
	client := fake.NewClientset(slice("up", nil), slice("down", &no),
		&admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "v"}, Webhooks: []admissionv1.ValidatingWebhook{
			{Name: "1", ClientConfig: where("up")}, {Name: "2", ClientConfig: where("down"), FailurePolicy: &ignore},
			{Name: "3", ClientConfig: admissionv1.WebhookClientConfig{}}}},
		&admissionv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "m"}, Webhooks: []admissionv1.MutatingWebhook{
			{Name: "4", ClientConfig: where("gone")}}})
	r := &reading{cluster: runner.Cluster{Client: client}}
	if err := r.readWebhooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, b := range r.seen.Backends {
		said = append(said, b.Object+" "+b.Service+" "+map[bool]string{true: "must", false: "may"}[b.Must]+" "+b.Why)
	}
	if want := []string{"validatingwebhookconfiguration/v a/up must ", "validatingwebhookconfiguration/v a/down may it has no endpoint " +
		"that is ready",
		"mutatingwebhookconfiguration/m a/gone must it has no endpoint that is ready"}; !slices.Equal(said, want) {
		t.Errorf("%q", said)
	}
}

func TestWhatKubeadmKeepsIsRead(t *testing.T) {
	config := func(content string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubeadm-config", Namespace: metav1.NamespaceSystem},
			Data: map[string]string{"ClusterConfiguration": content}}
	}
	got, err := ConfigOf(t.Context(), fake.NewClientset(config("apiVersion: kubeadm.k8s.io/v1beta4\nkubernetesVersion: v1.36.3\n"+
		"etcd: {external: {endpoints: [https://192.0.2.9:2379]}}\n")))
	if err != nil || got.APIVersion != "kubeadm.k8s.io/v1beta4" || got.Version.String() != "v1.36.3" || !got.ExternalEtcd {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"kubernetesVersion: latest", "kubernetesVersion: [", ""} {
		if _, err := ConfigOf(t.Context(), fake.NewClientset(config(bad))); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

func TestANodeIsReadAsItIs(t *testing.T) {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp1", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""},
		Annotations: map[string]string{socketNote: "unix:///x\x1b[2J"}}}
	n.Spec.Taints = []corev1.Taint{{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}}
	n.Status.NodeInfo.KubeletVersion = "v1.36.3"
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady",
		Message: "no CNI"}}
	got := nodeOf(n)
	if !got.ControlPlane || got.Ready || !got.Tainted || got.Cordoned || got.Why != "KubeletNotReady: no "+
		"CNI" || got.Kubelet.String() != "v1.36.3" ||
		strings.Contains(got.CRISocket, "\x1b") {
		t.Errorf("%+v", got)
	}
	p := Make(upgrade.Facts{Nodes: []upgrade.Node{got}, Served: got.Kubelet}, got.Kubelet.Next(), "")
	if p.Ready || p.From != "v1.36.3" || p.To != "v1.37.0" || !slices.Equal(p.ControlPlanes, []string{"cp1"}) {
		t.Errorf("%+v", p)
	}
}
