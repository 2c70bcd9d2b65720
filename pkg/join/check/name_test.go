// SPDX-License-Identifier: Apache-2.0

package check

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestCheckName(t *testing.T) {
	down := jointest.Cordoned(jointest.Node("down", corev1.ConditionUnknown, ""))
	down.Spec.Taints = append(down.Spec.Taints, jointest.NoSchedule("node.kubernetes.io/unreachable"), jointest.NoSchedule("gpu"))
	client := fake.NewClientset(jointest.Node("up", corev1.ConditionTrue, ""), down, jointest.Node("gone", corev1.ConditionUnknown, ""))
	tests := []struct {
		name, node string
		class      plan.Class
		wantErr    string
		warnings   []string
	}{
		{name: "no name is the host's own", node: ""},
		{name: "a free name is fine", node: "new"},
		{name: "what no node can be named is wrong usage", node: "No_Name", class: plan.Misused, wantErr: "not a valid name of a node"},
		{name: "the name of a Ready node is refused", node: "up", class: plan.Refused, wantErr: "node up is in the cluster and Ready"},
		{name: "that of a dead node is a warning", node: "gone", warnings: []string{"take it over"}},
		{name: "with its cordon and its taints, but for those that pass", node: "down", warnings: []string{"take it over",
			"node down is cordoned by ann", "taint gpu:NoSchedule"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Name(t.Context(), client, tt.node, jointest.ByAnn)
			jointest.WantClass(t, err, tt.class, tt.wantErr)
			wantWarnings(t, got, tt.warnings...)
		})
	}
}
