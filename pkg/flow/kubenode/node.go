// SPDX-License-Identifier: Apache-2.0

package kubenode

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// ErrNotFound is wrapped by the refusal of a node that does not exist.
var ErrNotFound = errors.New("node not found")

// NoNodeHint is the way out where a node does not exist. A kubelet goes on running when
// its Node is deleted, with all that the host has of the cluster, and does not register
// again before it is restarted (kubernetes/kubernetes#71398).
const NoNodeHint = "see which there are: kubectl get nodes; was the Node deleted by hand, its host is still as it was: " +
	"'systemctl restart kubelet' there brings the Node back, or clean the host alone (kubectl lifecycle node-program)"

// Get reads a node; an unknown one is refused, and the error wraps
// ErrNotFound.
func Get(ctx context.Context, client kubernetes.Interface, name string) (*corev1.Node, error) {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, plan.Refuse(fmt.Errorf("%w: %s", ErrNotFound, name), NoNodeHint)
	}
	if err != nil {
		return nil, fmt.Errorf("get node %s: %w", name, err)
	}
	return node, nil
}

// foreignKind names what manages a node that kubeadm does not; empty for a node
// that kubeadm may manage. Beside the distributions, these are operating systems on
// which kubeadm leaves nothing as it is cleaned here, and minikube, which calls
// kubeadm inside of a machine of its own.
func foreignKind(node *corev1.Node) string {
	info := node.Status.NodeInfo
	_, minikube := node.Labels["minikube.k8s.io/name"]
	distribution := kube.DistributionOf("", node)
	switch {
	case strings.EqualFold(info.OperatingSystem, "windows"), node.Labels[corev1.LabelOSStable] == "windows":
		return "a Windows node"
	case strings.Contains(info.OSImage, "Bottlerocket"):
		return "a Bottlerocket node"
	case distribution == kube.RKE2, distribution != "" && strings.ContainsRune("AEIOU", rune(distribution[0])):
		return "an " + string(distribution) + " node"
	case distribution != "":
		return "a " + string(distribution) + " node"
	case minikube:
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
		return plan.Refuse(fmt.Errorf("node %s is in a cluster that kubeadm did not make: there is no configmap kube-system/kubeadm-config",
			node.Name), wayOut)
	}
	if err != nil {
		return fmt.Errorf("get configmap kube-system/kubeadm-config: %w", err)
	}
	return nil
}

// IsControlPlane tells by the labels that kubeadm sets.
func IsControlPlane(node *corev1.Node) bool {
	return kube.IsControlPlane(node)
}

// KubeletAnswers says whether the kubelet reports at all. A node without a
// network is NotReady by its own kubelet's word ("False"), and can be worked
// on; one whose kubelet is silent has the status "Unknown".
func KubeletAnswers(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status != corev1.ConditionUnknown
		}
	}
	return false
}

// ReadyMessage is what the condition Ready says.
func ReadyMessage(node *corev1.Node) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Reason + ": " + c.Message
		}
	}
	return "its kubelet has never reported"
}

// InternalIP is the first internal address; the name where there is none.
func InternalIP(node *corev1.Node) string {
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return node.Name
}

// PodsOn lists the pods that are bound to a node.
func PodsOn(ctx context.Context, client kubernetes.Interface, name string) ([]corev1.Pod, error) {
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + name})
	if err != nil {
		return nil, fmt.Errorf("list pods on node %s: %w", name, err)
	}
	return slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool { return pod.Spec.NodeName != name }), nil
}

// OnEveryNode reports whether a pod is one of a kind that every node has its own
// of.
func OnEveryNode(pod *corev1.Pod) bool {
	ref := metav1.GetControllerOf(pod)
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return mirror || ref != nil && (ref.Kind == "DaemonSet" || ref.Kind == "Node")
}
