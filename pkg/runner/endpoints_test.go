// SPDX-License-Identifier: Apache-2.0

package runner

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestTheServerOnTheNodeItselfIsAskedLast(t *testing.T) {
	node := &corev1.Node{}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"},
		{Type: corev1.NodeInternalIP, Address: "fd00::1"}, {Type: corev1.NodeHostName, Address: "cp1"}}
	got := lastOf([]string{"https://cp1:6443", "https://192.0.2.1:6443", "https://[fd00::1]:6443", "https://192.0.2.10:6443",
		"https://192.0.2.2:6443"}, node)
	want := []string{"https://192.0.2.10:6443", "https://192.0.2.2:6443", "https://cp1:6443", "https://192.0.2.1:6443",
		"https://[fd00::1]:6443"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
