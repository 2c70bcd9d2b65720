// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTheDistributionIsNamed(t *testing.T) {
	node := func(version, image, label string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{label: ""}}}
		n.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: version, OSImage: image}
		return n
	}
	for want, n := range map[Distribution]*corev1.Node{
		"k3s":        node("v1.35.1+k3s1", "", ""),
		"RKE2":       node("v1.35.1+rke2r1", "", ""),
		"k0s":        node("v1.35.1+k0s", "", ""),
		"Talos":      node("v1.35.1", "Talos (v1.11.0)", ""),
		"OpenShift":  node("v1.35.1", "", "node.openshift.io/os_id"),
		"MicroK8s":   node("v1.35.1", "", "microk8s.io/cluster"),
		"Amazon EKS": node("v1.35.1-eks-abc", "", ""),
		"Google GKE": node("v1.35.1-gke.100", "", ""),
		"Azure AKS":  node("v1.35.1", "", "kubernetes.azure.com/cluster"),
	} {
		if got := DistributionOf("", n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for name, n := range map[string]*corev1.Node{
		"a node of kubeadm":                            node("v1.36.3", "Debian GNU/Linux 12", "node-role.kubernetes.io/control-plane"),
		"one that Azure's cloud provider leaves alone": node("v1.36.3", "", "kubernetes.azure.com/managed"),
	} {
		if got := DistributionOf("v1.36.3", n); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := DistributionOf("v1.35.1+rke2r1"); got != RKE2 {
		t.Errorf("by the API server alone: %q", got)
	}
	built := node("v1.35.1+rke2r1", "", "k3s.io/hostname")
	if got := DistributionOf("", built); got != RKE2 {
		t.Errorf("RKE2, which is built on k3s: %q", got)
	}
}
