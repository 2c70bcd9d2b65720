// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Distribution is what has made a cluster, if it was not kubeadm; empty if nothing
// tells.
type Distribution string

// The distributions that are known by their signs.
const (
	RKE2      Distribution = "RKE2"
	K3s       Distribution = "k3s"
	K0s       Distribution = "k0s"
	Talos     Distribution = "Talos"
	OpenShift Distribution = "OpenShift"
	EKS       Distribution = "Amazon EKS"
	GKE       Distribution = "Google GKE"
	AKS       Distribution = "Azure AKS"
	MicroK8s  Distribution = "MicroK8s"
)

// signs are what a distribution writes into its clusters itself; one of them is
// enough, and an empty one is none.
type signs struct {
	of Distribution
	// version is part of the version of the API server and of each kubelet.
	version string
	// label is the beginning of a node label's key.
	label string
	// provider is the beginning of a node's provider ID.
	provider string
	// system is the beginning of a node's OS image.
	system string
}

// known lists the signs; the first that match count, so a distribution comes before
// the one that it is built on.
func known() []signs {
	return []signs{
		{of: RKE2, version: "+rke2", label: "rke2.io/", provider: "rke2://"},
		{of: K3s, version: "+k3s", label: "k3s.io/", provider: "k3s://"},
		{of: K0s, version: "+k0s", label: "node.k0sproject.io/"},
		{of: Talos, system: "Talos"},
		{of: OpenShift, label: "node.openshift.io/"},
		{of: EKS, version: "-eks-", label: "eks.amazonaws.com/"},
		{of: GKE, version: "-gke.", label: "cloud.google.com/gke-"},
		// Not the whole prefix: "kubernetes.azure.com/managed" is what an administrator
		// sets on nodes outside of Azure, for its cloud provider.
		{of: AKS, label: "kubernetes.azure.com/cluster"},
		{of: MicroK8s, label: "microk8s.io/"},
	}
}

// DistributionOf names the distribution of a cluster, by the version of its API
// server (empty if that is not known) and by some of its nodes.
func DistributionOf(version string, nodes ...*corev1.Node) Distribution {
	for _, s := range known() {
		if s.inVersion(version) {
			return s.of
		}
		for _, node := range nodes {
			if s.in(node) {
				return s.of
			}
		}
	}
	return ""
}

func (s signs) inVersion(version string) bool {
	return s.version != "" && strings.Contains(version, s.version)
}

func (s signs) in(node *corev1.Node) bool {
	switch {
	case s.inVersion(node.Status.NodeInfo.KubeletVersion):
		return true
	case s.provider != "" && strings.HasPrefix(node.Spec.ProviderID, s.provider):
		return true
	case s.system != "" && strings.HasPrefix(node.Status.NodeInfo.OSImage, s.system):
		return true
	case s.label == "":
		return false
	}
	for key := range node.Labels {
		if strings.HasPrefix(key, s.label) {
			return true
		}
	}
	return false
}
