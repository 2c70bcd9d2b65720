// SPDX-License-Identifier: Apache-2.0

package join

import (
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

// kubeadmObjects are those of a healthy kubeadm cluster.
func kubeadmObjects(t *testing.T) []runtime.Object {
	t.Helper()
	return []runtime.Object{
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-public", Name: "cluster-info"},
			Data: map[string]string{"kubeconfig": infoKubeconfig(t, "https://api:6443", bundle(t, "ca-rsa.crt"))}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubeadm-config"},
			Data: map[string]string{"ClusterConfiguration": "kind: ClusterConfiguration\ncontrolPlaneEndpoint: api:6443\n"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kubelet-config"},
			Data: map[string]string{"kubelet": "kind: KubeletConfiguration\n"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-root-ca.crt"},
			Data: map[string]string{"ca.crt": string(bundle(t, "ca-rsa.crt"))}},
		jointest.ControlPlanePod("kube-controller-manager", "--controllers=*,bootstrapsigner,tokencleaner",
			"--cluster-signing-key-file=/etc/kubernetes/pki/ca.key"),
		jointest.ControlPlanePod("kube-apiserver", "--anonymous-auth=true", "--enable-bootstrap-token-auth=true"),
	}
}

func TestSurveyOfAHealthyClusterWarnsOfNothing(t *testing.T) {
	client := fake.NewClientset(kubeadmObjects(t)...)
	jointest.Allow(client, jointest.Nothing)
	got, err := Survey(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, got.Warnings)
	if got.Endpoint != "api:6443" || len(got.Pins) != 1 || got.Pins[0] != pinRSA {
		t.Errorf("got %+v", got)
	}
	for _, action := range client.Actions() {
		if action.GetVerb() != "get" && action.GetVerb() != "list" && action.GetResource().Resource != "subjectaccessreviews" {
			t.Errorf("a survey did %s %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
}

func TestSurveyNamesEachRightThatHostsLack(t *testing.T) {
	tests := []struct {
		name   string
		denied func(authorizationv1.SubjectAccessReviewSpec) bool
		want   []string
	}{
		{"anonymous reading of cluster-info", func(s authorizationv1.SubjectAccessReviewSpec) bool { return s.User == "system:anonymous" },
			[]string{"bootstrap-signer-clusterinfo"}},
		{"asking for certificates", func(s authorizationv1.SubjectAccessReviewSpec) bool {
			return s.ResourceAttributes.Resource == "certificatesigningrequests" && s.ResourceAttributes.Subresource == ""
		}, []string{"kubeadm:kubelet-bootstrap"}},
		{"approval by itself", func(s authorizationv1.SubjectAccessReviewSpec) bool {
			return s.ResourceAttributes.Subresource == "nodeclient"
		}, []string{"kubeadm:node-autoapprove-bootstrap"}},
		{"reading nodes", func(s authorizationv1.SubjectAccessReviewSpec) bool { return s.ResourceAttributes.Resource == "nodes" },
			[]string{"kubeadm:get-nodes"}},
		{"reading both configurations", func(s authorizationv1.SubjectAccessReviewSpec) bool {
			return s.ResourceAttributes.Namespace == "kube-system"
		}, []string{"kubeadm:nodes-kubeadm-config", "kubeadm:kubelet-config"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := fake.NewClientset(kubeadmObjects(t)...)
			jointest.Allow(client, tt.denied)
			got, err := Survey(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			wantWarnings(t, got.Warnings, tt.want...)
		})
	}
}

func TestSurveyWithoutTheRightToReviewSaysSoAndGoesOn(t *testing.T) {
	client := fake.NewClientset(kubeadmObjects(t)...)
	client.PrependReactor("create", "subjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "subjectaccessreviews"}, "", nil)
	})
	got, err := Survey(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, got.Warnings, "you may not create subjectaccessreviews")
}

func TestSurveyRefusesOtherClustersByName(t *testing.T) {
	node := func(change func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{"kubernetes.io/os": "linux"}}}
		change(n)
		return n
	}
	label := func(key string) *corev1.Node { return node(func(n *corev1.Node) { n.Labels[key] = "x" }) }
	tests := []struct {
		name    string
		version string
		node    *corev1.Node
		want    string
	}{
		{"k3s by its version", "v1.35.1+k3s1", nil, "but k3s:"},
		{"k3s by its provider", "", node(func(n *corev1.Node) { n.Spec.ProviderID = "k3s://n1" }), "but k3s:"},
		{"RKE2 by its version", "v1.35.1+rke2r1", nil, "but RKE2:"},
		{"RKE2 by a kubelet", "", node(func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.35.1+rke2r1" }), "but RKE2:"},
		{"k0s by its version", "v1.35.1+k0s", nil, "but k0s:"},
		{"Talos by its OS image", "v1.35.1", node(func(n *corev1.Node) { n.Status.NodeInfo.OSImage = "Talos (v1.12.0)" }), "but Talos:"},
		{"OpenShift by a label", "v1.33.5", label("node.openshift.io/os_id"), "but OpenShift:"},
		{"EKS by its version", "v1.34.2-eks-3025e55", nil, "but Amazon EKS:"},
		{"EKS by a label", "", label("eks.amazonaws.com/nodegroup"), "but Amazon EKS:"},
		{"GKE by its version", "v1.34.1-gke.1829001", nil, "but Google GKE:"},
		{"GKE by a label", "", label("cloud.google.com/gke-nodepool"), "but Google GKE:"},
		{"AKS by a label", "v1.34.1", label("kubernetes.azure.com/cluster"), "but Azure AKS:"},
		{"MicroK8s by a label", "v1.34.1", label("microk8s.io/cluster"), "but MicroK8s:"},
		{"an unknown one by what is missing", "v1.36.3", label("example.com/x"),
			"not a kubeadm cluster: there is no configmap kube-public/cluster-info"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := fake.NewClientset()
			if tt.node != nil {
				client = fake.NewClientset(tt.node)
			}
			client.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &version.Info{GitVersion: tt.version}
			_, err := Survey(t.Context(), client)
			jointest.WantRefusal(t, err, tt.want)
		})
	}
}

func TestSurveyNamesAMissingKubeadmConfig(t *testing.T) {
	client := fake.NewClientset(kubeadmObjects(t)[0])
	_, err := Survey(t.Context(), client)
	jointest.WantRefusal(t, err, "there is no configmap kube-system/kubeadm-config")
}

// nodeNamed makes a Node with a condition Ready.

func TestSurveyReadsTheFlagsOfAllControlPlanes(t *testing.T) {
	second := jointest.ControlPlanePod("kube-apiserver", "--v=2")
	second.Name = "kube-apiserver-cp2"
	client := fake.NewClientset(append(kubeadmObjects(t), runtime.Object(second))...)
	jointest.Allow(client, jointest.Nothing)
	got, err := Survey(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings(t, got.Warnings, "switched off in kube-apiserver-cp2 (1 of 2)")
	if err := got.Refusal(); err != nil {
		t.Errorf("flags that a pod shows are no proof: %v", err)
	}
}

func wantWarnings(t *testing.T, got []check.Warning, want ...string) {
	t.Helper()
	jointest.WantWarnings(t, got, func(w check.Warning) (string, string) { return w.Text, w.Hint }, want...)
}
