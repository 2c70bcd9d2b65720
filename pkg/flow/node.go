// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// ErrNoNode is wrapped by the refusal of a node that does not exist.
var ErrNoNode = errors.New("node not found")

// NoNodeHint is the way out where a node does not exist. A kubelet goes on running when
// its Node is deleted, with all that the host has of the cluster, and does not register
// again before it is restarted (kubernetes/kubernetes#71398).
const NoNodeHint = "see which there are: kubectl get nodes; was the Node deleted by hand, its host is still as it was: " +
	"'systemctl restart kubelet' there brings the Node back, or clean the host alone (kubectl lifecycle node-program)"

// GetNode reads a node; an unknown one is refused, and the error wraps
// ErrNoNode.
func GetNode(ctx context.Context, client kubernetes.Interface, name string) (*corev1.Node, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, plan.Refuse(fmt.Errorf("%w: %s", ErrNoNode, name), NoNodeHint)
	}
	if err != nil {
		return nil, fmt.Errorf("get node %s: %w", name, err)
	}
	return node, nil
}

// foreignKind names what manages a node that kubeadm does not; empty for a node
// that kubeadm may manage. The signs are what each of them writes itself: the
// suffix of the kubelet's version, labels, the OS image, the provider ID.
func foreignKind(node *corev1.Node) string {
	info := node.Status.NodeInfo
	has := func(label string) bool { _, ok := node.Labels[label]; return ok }
	switch {
	case strings.EqualFold(info.OperatingSystem, "windows"), node.Labels[corev1.LabelOSStable] == "windows":
		return "a Windows node"
	case strings.Contains(info.KubeletVersion, "+k3s"):
		return "a k3s node"
	case strings.Contains(info.KubeletVersion, "+rke2"):
		return "an RKE2 node"
	case strings.Contains(info.KubeletVersion, "+k0s"):
		return "a k0s node"
	case strings.Contains(info.OSImage, "Talos"):
		return "a Talos node"
	case strings.Contains(info.OSImage, "Bottlerocket"):
		return "a Bottlerocket node"
	case has("eks.amazonaws.com/nodegroup"), strings.Contains(info.KubeletVersion, "-eks-"):
		return "an EKS node"
	case has("cloud.google.com/gke-nodepool"), strings.Contains(info.KubeletVersion, "-gke."):
		return "a GKE node"
	case has("kubernetes.azure.com/cluster"):
		return "an AKS node"
	case has("node.openshift.io/os_id"):
		return "an OpenShift node"
	case has("minikube.k8s.io/name"):
		return "a minikube node"
	}
	return ""
}

// RequireKubeadm refuses a node that kubeadm did not make, by name of what did.
func RequireKubeadm(ctx context.Context, client kubernetes.Interface, node *corev1.Node) error {
	const wayOut = "this tool cleans kubeadm nodes; use the tool that made this one"
	if kind := foreignKind(node); kind != "" {
		return plan.Refuse(fmt.Errorf("node %s is %s, not a kubeadm node", node.Name, kind), wayOut)
	}
	_, err := client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "kubeadm-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return plan.Refuse(fmt.Errorf("node %s is in a cluster that kubeadm did not make: there is no configmap kube-system/kubeadm-config", node.Name), wayOut)
	}
	if err != nil {
		return fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	return nil
}

// isControlPlane tells by the labels that kubeadm sets.
func isControlPlane(node *corev1.Node) bool {
	_, now := node.Labels["node-role.kubernetes.io/control-plane"]
	_, before := node.Labels["node-role.kubernetes.io/master"]
	return now || before
}
