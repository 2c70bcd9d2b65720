// SPDX-License-Identifier: Apache-2.0

// Package cnitest makes the objects of clusters whose network is looked at, for
// tests of the packages about networks.
package cnitest

import (
	"fmt"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// CIDRs reads CIDRs.
func CIDRs(words ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, w := range words {
		out = append(out, netip.MustParsePrefix(w))
	}
	return out
}

// Node is a Linux node.
func Node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux"}}}
	for _, c := range change {
		c(n)
	}
	return n
}

// Old makes a node that has been there for an hour.
func Old(n *corev1.Node) { n.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour)) }

// Condition makes a node that has been Ready, or not, for a while.
func Condition(status corev1.ConditionStatus, message string, ago time.Duration) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Message: message,
			LastTransitionTime: metav1.NewTime(time.Now().Add(-ago))}}
	}
}

// Ready makes a node that is Ready, and on which flannel has written.
func Ready(n *corev1.Node) {
	n.Annotations = map[string]string{"flannel.alpha.coreos.com/kube-subnet-manager": "true",
		"flannel.alpha.coreos.com/public-ip": fmt.Sprintf("172.18.0.%d", n.Name[0])}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
}

// Agents is the DaemonSet of flannel.
func Agents(change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel-ds", Namespace: "kube-flannel", UID: "set", Generation: 1}}
	set.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "flannel"}}
	set.Status = appsv1.DaemonSetStatus{ObservedGeneration: 1, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2}
	for _, c := range change {
		c(set)
	}
	return set
}

// Agent is a pod of it on a node, ready but for the changes.
func Agent(on string, change ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "agent-" + on, Namespace: "kube-flannel",
		Labels: map[string]string{"app": "flannel"}}}
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "kube-flannel-ds", UID: "set", Controller: &yes}}
	pod.Spec.NodeName = on
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, c := range change {
		c(pod)
	}
	return pod
}

// CoreDNS is that of a cluster, with one pod.
func CoreDNS(available bool) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system",
		Labels: map[string]string{"k8s-app": "kube-dns"}}}
	if available {
		d.Status.AvailableReplicas = 1
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}}
	}
	return d
}

// Working is a cluster of two nodes whose network works.
func Working() []runtime.Object {
	return []runtime.Object{Node("a", Ready), Node("b", Ready), Agents(), Agent("a"), Agent("b"), CoreDNS(true)}
}
