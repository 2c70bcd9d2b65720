// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// foreign names what made a node's cluster, if it was not kubeadm: such a
// cluster brings its network itself. Empty if nothing tells. The signs are what
// each of them writes into its nodes.
func foreign(node *corev1.Node) string {
	version, label := node.Status.NodeInfo.KubeletVersion, func(key string) bool {
		_, ok := node.Labels[key]
		return ok
	}
	switch {
	case strings.Contains(version, "+k3s"):
		return "k3s"
	case strings.Contains(version, "+rke2"):
		return "RKE2"
	case strings.Contains(version, "+k0s"):
		return "k0s"
	case strings.HasPrefix(node.Status.NodeInfo.OSImage, "Talos"):
		return "Talos"
	case label("node.openshift.io/os_id"):
		return "OpenShift"
	case label("microk8s.io/cluster"):
		return "MicroK8s"
	case strings.Contains(version, "-eks-"):
		return "Amazon EKS"
	case strings.Contains(version, "-gke."):
		return "Google GKE"
	case label("kubernetes.azure.com/cluster"):
		return "Azure AKS"
	}
	return ""
}
