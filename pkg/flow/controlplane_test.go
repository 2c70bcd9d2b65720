// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func controlPlane(name, address string, ready bool) corev1.Node {
	n := *worker()
	n.Name = name
	n.Labels["node-role.kubernetes.io/control-plane"] = ""
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}, {Type: corev1.NodeHostName, Address: name}}
	if !ready {
		n.Status.Conditions[0].Status = corev1.ConditionUnknown
	}
	return n
}

func TestAControlPlaneLeavesOnlyWhereTheClusterGoesOn(t *testing.T) {
	cp1, cp2, cp3, dead := controlPlane("cp1", "192.0.2.1", true), controlPlane("cp2", "192.0.2.2", true), controlPlane("cp3", "192.0.2.3", true), controlPlane("cp4", "192.0.2.4", false)
	others := []corev1.Node{cp2, cp3}
	for name, tc := range map[string]struct {
		farewell
		refusal, hint string
		warnings      []string
	}{
		"the last one":                       {farewell: farewell{}, refusal: "is the only control-plane node", hint: "join another"},
		"the others are down":                {farewell: farewell{others: []corev1.Node{dead}}, refusal: "no other control-plane node than cp1 is Ready", hint: "bring one back"},
		"three, a common address":            {farewell: farewell{others: others, server: "https://lb:6443", endpoint: "lb:6443"}},
		"two":                                {farewell: farewell{others: others[:1], server: "https://lb:6443", endpoint: "lb:6443"}, warnings: []string{"only one control-plane node is left"}},
		"the kubeconfig names it":            {farewell: farewell{others: others, server: "https://192.0.2.1:6443", endpoint: "lb:6443"}, refusal: "this kubeconfig reaches the cluster through node cp1 itself", hint: "--server https://192.0.2.2:6443"},
		"the kubelets use its address":       {farewell: farewell{others: others, server: "https://lb:6443", endpoint: "192.0.2.1:6443"}, refusal: "all kubelets reach the API server through node cp1", hint: "another endpoint"},
		"the endpoint has its name":          {farewell: farewell{others: others, server: "https://lb:6443", endpoint: "cp1:6443"}, warnings: []string{"is named like this node"}},
		"another is being removed":           {farewell: farewell{others: others, runs: []runner.Record{{State: wire.State{Node: "cp2", Phase: wire.Working, Operation: wire.Remove}}}}, refusal: "another control-plane node is being worked on", hint: "runs follow cp2"},
		"a worker is being removed":          {farewell: farewell{others: others, runs: []runner.Record{{State: wire.State{Node: "w1", Phase: wire.Working}}}}},
		"another's removal was taken back":   {farewell: farewell{others: others, runs: []runner.Record{{State: wire.State{Node: "cp2", Phase: wire.Aborted}}}}},
		"its own, taken up again: no matter": {farewell: farewell{others: others, runs: []runner.Record{{State: wire.State{Node: "cp1", Phase: wire.Ready}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.node = &cp1
			warnings, err := tc.decide()
			if tc.refusal == "" && err != nil || tc.refusal != "" && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), tc.refusal) || !strings.Contains(plan.HintOf(err), tc.hint)) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			if len(warnings) != len(tc.warnings) || len(warnings) > 0 && !strings.Contains(warnings[0], tc.warnings[0]) {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}
