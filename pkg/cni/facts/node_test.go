// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
)

func TestOfWhichNodesNothingCanBeExpected(t *testing.T) {
	deleted := func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	givenUp := func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/out-of-service"}} }
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	const noNetwork = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized"
	for name, c := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"a Ready one is there": {cnitest.Node("a", cnitest.Ready), ""},
		"a cordoned one, too":  {cnitest.Node("a", cnitest.Ready, cordoned), ""},
		"one that waits for its network, however long": {cnitest.Node("a", cnitest.Old, cnitest.Condition(corev1.ConditionFalse, noNetwork,
			time.Hour)), ""},
		"one that has just begun to say what else it lacks": {cnitest.Node("a", cnitest.Old, cnitest.Condition(corev1.ConditionFalse,
			"container runtime status check may not have completed yet", time.Second)), ""},
		"one whose runtime is down for long": {cnitest.Node("a", cnitest.Old, cnitest.Condition(corev1.ConditionFalse,
			"container runtime is down", time.Hour)), "NotReady, not for its network: container runtime is down"},
		"one whose kubelet is silent": {cnitest.Node("a", cnitest.Old, cnitest.Condition(corev1.ConditionUnknown,
			"Kubelet stopped posting node status.", time.Second)), "NotReady, its kubelet does not answer"},
		"one that is new and has said nothing": {cnitest.Node("a",
			func(n *corev1.Node) { n.CreationTimestamp = metav1.NewTime(time.Now()) }), ""},
		"one that has never said a word":                     {cnitest.Node("a", cnitest.Old), "its kubelet has never reported"},
		"one that is being deleted, Ready or not":            {cnitest.Node("a", cnitest.Ready, deleted), "it is being deleted"},
		"one that was given up, though its kubelet is there": {cnitest.Node("a", cnitest.Ready, givenUp), "it was given up"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Absence(c.node, time.Now()); !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
