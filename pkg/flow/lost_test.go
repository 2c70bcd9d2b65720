// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

func TestANodeThatIsNotLostIsNotGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		denied []string
		says   string
	}{
		"its kubelet reports":            {says: "is not lost: its kubelet reports"},
		"it is NotReady by its own word": {change: func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }, says: "is not lost"},
		"the last control plane":         {change: func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" }, says: "is the only control-plane node"},
		"a k3s node":                     {change: func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1" }, says: "a k3s node"},
		"a missing verb":                 {denied: []string{"get leases"}, says: "get leases"},
	} {
		t.Run(name, func(t *testing.T) {
			node := worker()
			if tc.change != nil {
				tc.change(node)
			}
			client := permissive(t, tc.denied, []runtime.Object{node, kubeadmConfig()}...)
			_, err := PrepareLost(t.Context(), runner.Cluster{Client: client}, "w1", LostOptions{Timeout: time.Minute}, func(string, ...any) {})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}
