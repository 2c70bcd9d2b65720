// SPDX-License-Identifier: Apache-2.0

package screentest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
)

// On gives a command the cluster of a client, which is made for each screen again. Whatever
// goes around the client meets a server that is away.
func On(client func(*testing.T) kubernetes.Interface) func(*testing.T, *env.Env) {
	return func(t *testing.T, e *env.Env) {
		t.Helper()
		made := client(t)
		e.Client = func() (kubernetes.Interface, error) { return made, nil }
		e.Config = func() (*rest.Config, error) {
			return &rest.Config{Host: "https://api.example.com:6443", Transport: away{}}, nil
		}
	}
}

// away is a server that does not answer.
type away struct{}

// RoundTrip answers nothing.
func (away) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

// Node is one of kubeadm's that is Ready: a control plane, if it is called cp-1 or alike.
func Node(name string, change ...func(*corev1.Node)) *corev1.Node {
	last, plane := name[len(name)-1:], strings.HasPrefix(name, "cp-")
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{},
		CreationTimestamp: metav1.NewTime(Now().Add(-1000 * time.Hour))}}
	address := "192.0.2." + last
	if plane {
		n.Labels["node-role.kubernetes.io/control-plane"] = ""
		address = "192.0.2.1" + last
	}
	n.Spec.PodCIDR = "10.244." + last + ".0/24"
	n.Spec.PodCIDRs = []string{n.Spec.PodCIDR}
	n.Status.NodeInfo = corev1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: "v1.36.3",
		KernelVersion: "6.12.41", ContainerRuntimeVersion: "containerd://2.1.4", MachineID: strings.Repeat("0123456789abcde"+last, 2)}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: name}}
	n.Status.Allocatable = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110")}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
		Message: "kubelet is posting ready status"}}
	for _, c := range change {
		c(n)
	}
	return n
}

// Silent is a node whose kubelet does not report any more.
func Silent(n *corev1.Node) {
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown",
		Message: "Kubelet stopped posting node status.", LastTransitionTime: metav1.NewTime(Now().Add(-15 * time.Minute))}}
}

// Kubeadm is what kubeadm keeps of a cluster, and the namespace of it all.
func Kubeadm() []runtime.Object {
	return []runtime.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceSystem, UID: "uid-of-this-cluster"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kubeadm-config"},
			Data: map[string]string{"ClusterConfiguration": "kind: ClusterConfiguration\ncontrolPlaneEndpoint: api.example.com:6443\n" +
				"kubernetesVersion: v1.36.3\nnetworking:\n  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.96.0.0/12\n"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "kubelet-config"},
			Data: map[string]string{"kubelet": "kind: KubeletConfiguration\ncgroupDriver: systemd\n"}},
	}
}

// Reviewed has a server say of hosts that join that they may.
func Reviewed(client *fake.Clientset) {
	client.PrependReactor("create", "subjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &authorizationv1.SubjectAccessReview{Status: authorizationv1.SubjectAccessReviewStatus{Allowed: true}}, nil
	})
}
