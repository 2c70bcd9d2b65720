// SPDX-License-Identifier: Apache-2.0

package kube

import (
	corev1 "k8s.io/api/core/v1"
)

// ReadyCondition is the condition Ready of a node; nil while its kubelet has not
// reported it, and for no node.
func ReadyCondition(node *corev1.Node) *corev1.NodeCondition {
	if node == nil {
		return nil
	}
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

// NodeReady reports whether a node is Ready; no node is not.
func NodeReady(node *corev1.Node) bool {
	c := ReadyCondition(node)
	return c != nil && c.Status == corev1.ConditionTrue
}

// NodeSilent reports whether the node's kubelet has stopped to report: the node
// lifecycle controller says so by Ready=Unknown.
func NodeSilent(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionUnknown
		}
	}
	return false
}

// IsControlPlane tells by the labels that kubeadm sets, and that it set before Kubernetes
// 1.24.
func IsControlPlane(node *corev1.Node) bool {
	_, now := node.Labels["node-role.kubernetes.io/control-plane"]
	_, before := node.Labels["node-role.kubernetes.io/master"]
	return now || before
}
