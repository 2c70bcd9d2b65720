// SPDX-License-Identifier: Apache-2.0

package check

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
)

func TestWhatKeepsPodsAwayFromANode(t *testing.T) {
	tainted, noSchedule, cordoned := jointest.Tainted, jointest.NoSchedule, jointest.Cordoned
	control := tainted(noSchedule(controlPlaneRole))
	control.Labels = map[string]string{controlPlaneRole: ""}
	for name, c := range map[string]struct {
		node   *corev1.Node
		want   []string
		hint   string
		passes bool
	}{
		"nothing on an ordinary node":                 {node: tainted()},
		"nothing of kubeadm's own on a control plane": {node: control},
		"a control plane's taint on a worker": {node: tainted(noSchedule(controlPlaneRole)), want: []string{"on a node that is none"},
			hint: "node-role.kubernetes.io/control-plane-"},
		"a wish keeps nothing away": {node: tainted(corev1.Taint{Key: "x", Effect: corev1.TaintEffectPreferNoSchedule})},
		"a cordon, with its note, and its taint only once": {
			node: cordoned(tainted()), want: []string{"node w3 is cordoned by ann at 2026-05-04T03:02:01Z: new [2Jdisks: it gets no new " +
				"pods"}, hint: "kubectl lifecycle uncordon w3",
		},
		"a cloud that never comes": {
			node: tainted(corev1.Taint{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: corev1.TaintEffectNoSchedule}),
			want: []string{"taint node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule keeps pods away from node w3: its kubelet runs " +
				"with --cloud-provider=external"},
			hint: "/etc/default/kubelet", passes: true,
		},
		"Cilium's agent": {node: tainted(noSchedule("node.cilium.io/agent-not-ready")), want: []string{"Cilium's agent"},
			hint: "spec.nodeName=w3", passes: true},
		"the agent of a storage": {node: tainted(noSchedule("ebs.csi.aws.com/agent-not-ready")), want: []string{"an agent on it"},
			hint: "spec.nodeName=w3", passes: true},
		"a node that was given up": {node: tainted(corev1.Taint{Key: "node.kubernetes.io/out-of-service",
			Effect: corev1.TaintEffectNoExecute}), want: []string{"given up as dead"}, hint: "kubectl taint nodes w3 " +
			"node.kubernetes.io/out-of-service-"},
		"a full disk": {node: tainted(noSchedule("node.kubernetes.io/disk-pressure")), want: []string{"short of that resource"},
			hint: "kubectl describe node w3", passes: true},
		"Kubernetes' own, for a time": {node: tainted(noSchedule("node.kubernetes.io/not-ready")), want: []string{"node-lifecycle-controller"},
			hint: "kube-controller-manager", passes: true},
		"a Cluster API that is slow": {node: tainted(noSchedule("node.cluster.x-k8s.io/uninitialized")),
			want: []string{"a controller has not set the node up"}, hint: "w3", passes: true},
		"anybody's, quoted": {node: tainted(noSchedule("a;b")), want: []string{"that do not tolerate it"},
			hint: "kubectl taint nodes w3 'a;b-'"},
		"several, each by itself": {node: cordoned(tainted(noSchedule("gpu"))), want: []string{"is cordoned", "taint gpu:NoSchedule"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Barriers(c.node, jointest.ByAnn)
			wantWarnings(t, WarningsOf(got), c.want...)
			if len(got) > 0 && (got[0].Passes != c.passes || !strings.Contains(got[0].Hint, c.hint)) {
				t.Errorf("%+v, want the hint %q", got[0], c.hint)
			}
		})
	}
}
