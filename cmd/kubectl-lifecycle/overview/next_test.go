// SPDX-License-Identifier: Apache-2.0

package overview

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
)

// node is one with a Ready condition; message says why it is not.
func node(name, message string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}, Annotations: map[string]string{}}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if message != "" {
		n.Status.Conditions[0].Status, n.Status.Conditions[0].Message = corev1.ConditionFalse, message
	}
	for _, c := range change {
		c(&n)
	}
	return n
}

func plane(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" }

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func noted(n *corev1.Node) {
	cordoned(n)
	n.Annotations[drain.NoteAnnotation] = `{}`
}

func TestWhatIsNext(t *testing.T) {
	const noNetwork = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"
	for name, tc := range map[string]struct {
		c    cluster
		line string
		want []string
	}{
		"a cluster that was just made": {cluster{nodes: []corev1.Node{node("cp", noNetwork, plane)}}, "1 node (1 control plane), 0 Ready",
			[]string{"cni install NAME", "join --wait"}},
		"one node without a network": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", noNetwork)}},
			"2 nodes (1 control plane), 1 Ready", []string{"cni status"}},
		"one node is down": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "Kubelet stopped posting node status.")}},
			"1 Ready", []string{"cni status"}},
		"no worker": {cluster{nodes: []corev1.Node{node("cp", "", plane)}}, "1 Ready", []string{"join --wait"}},
		"a run": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "", noted)}, runs: []string{"w"}}, "1 cordoned",
			[]string{"runs follow w"}},
		"a drain of ours": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "", noted)}}, "1 cordoned",
			[]string{"uncordon w"}},
		"a cordon of a person": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "", cordoned)}}, "1 cordoned",
			[]string{"cni status", "certs check", "drain w --ignore-daemonsets --plan"}},
		"all is well": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "")}, partial: true}, "the first 2 nodes",
			[]string{"cni status", "certs check", "drain w --ignore-daemonsets --plan"}},
		"many runs": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "")}, runs: []string{"a", "b", "c", "d", "e"}}, "2 Ready",
			[]string{"runs follow a", "runs follow b", "runs follow c", "runs follow d"}},
		"a name that a shell would obey": {cluster{nodes: []corev1.Node{node("cp", "", plane), node("w", "")},
			runs: []string{"$(reboot)"}}, "2 Ready",
			[]string{"runs follow '$(reboot)'"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range tc.c.next() {
				if s.why == "" {
					t.Errorf("%s has no reason", s.command)
				}
				got = append(got, strings.TrimPrefix(s.command, "kubectl lifecycle "))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if line := tc.c.line(); !strings.Contains(line, tc.line) {
				t.Errorf("line %q, want %q in it", line, tc.line)
			}
		})
	}
}
