// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// noAPI refuses a network that does kube-proxy's work and is not told where the API
// server is: its Service leads nowhere then. The values are those that say it.
func noAPI(host, port string) error {
	set := "--set " + host + "=HOST"
	if port != "" {
		set += " --set " + port + "=6443"
	}
	return plan.Refuse(errors.New("there is no kube-proxy, and nothing in this cluster says where nodes reach its API server"),
		"say it: %s (what the kubelets use: server in /etc/kubernetes/kubelet.conf of a node)", set)
}

// upOnNode looks for the word of a network on a node that it has come up there.
func upOnNode(node *corev1.Node, network string) string {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeNetworkUnavailable && c.Status == corev1.ConditionFalse && strings.HasPrefix(c.Reason, network) {
			return ""
		}
	}
	return "no condition NetworkUnavailable=False of " + network + " yet"
}

// bare is a version without the v in front.
func bare(version string) string { return strings.TrimPrefix(version, "v") }
