// SPDX-License-Identifier: Apache-2.0

package jointest

import (
	corev1 "k8s.io/api/core/v1"
)

// Tainted is a Ready node w3 with taints.
func Tainted(taints ...corev1.Taint) *corev1.Node {
	node := Node("w3", corev1.ConditionTrue, "")
	node.Spec.Taints = taints
	return node
}

// NoSchedule is a taint that keeps pods away.
func NoSchedule(key string) corev1.Taint {
	return corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule}
}

// Cordoned makes a node unschedulable, with the taint of the node lifecycle controller.
func Cordoned(node *corev1.Node) *corev1.Node {
	node.Spec.Unschedulable = true
	node.Spec.Taints = append(node.Spec.Taints, NoSchedule("node.kubernetes.io/unschedulable"))
	return node
}

// ByAnn is a cordon's note that is hostile.
func ByAnn(*corev1.Node) string { return "by ann at 2026-05-04T03:02:01Z: new\n\x1b[2Jdisks" }
