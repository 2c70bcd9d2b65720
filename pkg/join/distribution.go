// SPDX-License-Identifier: Apache-2.0

package join

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// distribution is a kind of cluster that kubeadm did not make: how it shows
// itself, and how its own nodes come in.
type distribution struct {
	name string
	// version is part of the version of the API server or of a kubelet.
	version string
	// label is the beginning of a node label's key.
	label string
	// provider is the beginning of a node's provider ID.
	provider string
	// system is the beginning of a node's OS image.
	system string
	way    string
}

// distributions lists them; the first that matches counts, so those that build
// on another come before it.
func distributions() []distribution {
	return []distribution{
		{name: "RKE2", version: "+rke2", provider: "rke2://", label: "rke2.io/",
			way: "a host joins RKE2 with its own agent: set server and token in /etc/rancher/rke2/config.yaml there and start rke2-agent"},
		{name: "k3s", version: "+k3s", provider: "k3s://", label: "k3s.io/",
			way: "a host joins k3s with: k3s agent --server https://SERVER:6443 --token TOKEN"},
		{name: "k0s", version: "+k0s", label: "node.k0sproject.io/",
			way: "make a token on a controller: k0s token create --role=worker"},
		{name: "Talos", system: "Talos",
			way: "a machine joins Talos with its machine config: talosctl apply-config"},
		{name: "OpenShift", label: "node.openshift.io/",
			way: "add machines through a MachineSet, or: oc adm node-image create"},
		{name: "Amazon EKS", version: "-eks-", label: "eks.amazonaws.com/",
			way: "add nodes through a node group: eksctl create nodegroup, or nodeadm on hybrid nodes"},
		{name: "Google GKE", version: "-gke.", label: "cloud.google.com/gke-",
			way: "add nodes through a node pool: gcloud container node-pools create"},
		{name: "Azure AKS", label: "kubernetes.azure.com/",
			way: "add nodes through a node pool: az aks nodepool add"},
		{name: "MicroK8s", label: "microk8s.io/",
			way: "make a token on a node of it: microk8s add-node"},
	}
}

// recognise names the distribution of a cluster by the version of its API
// server and a few of its nodes; false if it is none we know.
func recognise(version string, nodes []corev1.Node) (distribution, bool) {
	for _, d := range distributions() {
		if d.matchesVersion(version) {
			return d, true
		}
		for i := range nodes {
			if d.matches(&nodes[i]) {
				return d, true
			}
		}
	}
	return distribution{}, false
}

func (d distribution) matchesVersion(version string) bool {
	return d.version != "" && strings.Contains(version, d.version)
}

func (d distribution) matches(node *corev1.Node) bool {
	switch {
	case d.matchesVersion(node.Status.NodeInfo.KubeletVersion):
		return true
	case d.provider != "" && strings.HasPrefix(node.Spec.ProviderID, d.provider):
		return true
	case d.system != "" && strings.HasPrefix(node.Status.NodeInfo.OSImage, d.system):
		return true
	case d.label == "":
		return false
	}
	for key := range node.Labels {
		if strings.HasPrefix(key, d.label) {
			return true
		}
	}
	return false
}
