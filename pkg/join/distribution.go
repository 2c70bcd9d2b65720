// SPDX-License-Identifier: Apache-2.0

package join

import "github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"

// ways say how a host joins a cluster that kubeadm did not make.
func ways() map[kube.Distribution]string {
	return map[kube.Distribution]string{
		kube.RKE2: "a host joins RKE2 with its own agent: set server and token in /etc/rancher/rke2/config.yaml there and start " +
			"rke2-agent",
		kube.K3s:       "a host joins k3s with: k3s agent --server https://SERVER:6443 --token TOKEN",
		kube.K0s:       "make a token on a controller: k0s token create --role=worker",
		kube.Talos:     "a machine joins Talos with its machine config: talosctl apply-config",
		kube.OpenShift: "add machines through a MachineSet, or: oc adm node-image create",
		kube.EKS:       "add nodes through a node group: eksctl create nodegroup, or nodeadm on hybrid nodes",
		kube.GKE:       "add nodes through a node pool: gcloud container node-pools create",
		kube.AKS:       "add nodes through a node pool: az aks nodepool add",
		kube.MicroK8s:  "make a token on a node of it: microk8s add-node",
	}
}
