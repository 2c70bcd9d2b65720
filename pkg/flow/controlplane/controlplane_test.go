// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func TestAControlPlaneLeavesOnlyWhereTheClusterGoesOn(t *testing.T) {
	cp1, cp2, cp3, dead := flowtest.ControlPlane("cp1", "192.0.2.1", true), flowtest.ControlPlane("cp2", "192.0.2.2",
		true), flowtest.ControlPlane("cp3", "192.0.2.3", true), flowtest.ControlPlane("cp4", "192.0.2.4", false)
	others := []corev1.Node{cp2, cp3}
	for name, tc := range map[string]struct {
		Facts
		refusal, hint string
		warnings      []string
	}{
		"the last one": {Facts: Facts{}, refusal: "is the only control-plane node", hint: "join another"},
		"the others are down": {Facts: Facts{Others: []corev1.Node{dead}},
			refusal: "no other control-plane node than cp1 is Ready", hint: "bring one back"},
		"three, a common address": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "lb:6443"}},
		"two": {Facts: Facts{Others: others[:1], server: "https://lb:6443", endpoint: "lb:6443"},
			warnings: []string{"only one control-plane node is left"}},
		"the kubeconfig names it": {Facts: Facts{Others: others, server: "https://192.0.2.1:6443", endpoint: "lb:6443"},
			refusal: "this kubeconfig reaches the cluster through node cp1 itself", hint: "--server https://192.0.2.2:6443"},
		"the kubelets use its address": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "192.0.2.1:6443"},
			refusal: "all kubelets reach the API server through node cp1", hint: "another endpoint"},
		"the endpoint has its name": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "cp1:6443"},
			warnings: []string{"is named like this node"}},
		"kube-proxy uses its address": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "lb:6443",
			proxy: "https://192.0.2.1:6443"}, refusal: "kube-proxy on every node", hint: "edit configmap kube-proxy"},
		"kube-proxy uses the endpoint": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "lb:6443", proxy: "https://lb:6443"}},
		"kube-proxy uses another": {Facts: Facts{Others: others, server: "https://lb:6443", endpoint: "lb:6443",
			proxy: "https://192.0.2.2:6443"}},
		"another is being removed": {Facts: Facts{Others: others,
			runs: []runner.Record{{State: wire.State{Node: "cp2", Phase: wire.Working,
				Operation: wire.Remove}}}}, refusal: "another control-plane node is being worked on", hint: "runs follow cp2"},
		"a worker is being removed": {Facts: Facts{Others: others,
			runs: []runner.Record{{State: wire.State{Node: "w1", Phase: wire.Working}}}}},
		"another's removal was taken back": {Facts: Facts{Others: others,
			runs: []runner.Record{{State: wire.State{Node: "cp2", Phase: wire.Aborted}}}}},
		"its own, taken up again: no matter": {Facts: Facts{Others: others,
			runs: []runner.Record{{State: wire.State{Node: "cp1", Phase: wire.Ready}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.node = &cp1
			warnings, err := tc.Decide()
			if tc.refusal == "" && err != nil || tc.refusal != "" && (plan.ClassOf(err) != plan.Refused ||
				!strings.Contains(err.Error(), tc.refusal) || !strings.Contains(plan.HintOf(err), tc.hint)) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
			if len(warnings) != len(tc.warnings) || len(warnings) > 0 && !strings.Contains(warnings[0], tc.warnings[0]) {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}

func TestARecordThatCannotBeReadIsNamedAndStopsNoControlPlane(t *testing.T) {
	other := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp2"},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
	third := other
	third.Name = "cp3"
	junk := runner.Record{Name: "lifecycle-cp2",
		Damaged: plan.Refuse(errors.New("secret kube-system/lifecycle-cp2 is not a run record"), "delete it")}
	warnings, err := Facts{node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp1"}}, Others: []corev1.Node{other, third},
		runs: []runner.Record{junk}}.Decide()
	if err != nil || len(warnings) != 1 ||
		!strings.Contains(warnings[0], "lifecycle-cp2 is not a run record: it is not counted; delete it") {
		t.Errorf("warnings %q, error %v", warnings, err)
	}
}

func TestTheServerOfKubeProxyIsReadFromItsConfigMap(t *testing.T) {
	config := func(server, current string) string {
		return "apiVersion: v1\nkind: Config\nclusters:\n- {name: default, cluster: {server: '" + server + "'}}\n" +
			"contexts:\n- {name: default, context: {cluster: default}}\ncurrent-context: " + current + "\n"
	}
	for name, c := range map[string]struct{ data, want string }{
		"as kubeadm writes it": {config("https://192.0.2.1:6443", "default"), "https://192.0.2.1:6443"},
		"no such context":      {config("https://192.0.2.1:6443", "other"), ""},
		"no YAML":              {"{", ""},
		"none":                 {"", ""},
	} {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-proxy"},
			Data: map[string]string{"kubeconfig.conf": c.data}}
		if got := proxyServer(t.Context(), flowtest.Permissive(t, nil, cm)); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := proxyServer(t.Context(), flowtest.Permissive(t, nil)); got != "" {
		t.Errorf("no kube-proxy: %q", got)
	}
}
