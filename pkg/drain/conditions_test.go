// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// theConditions are the conditions of the test's node by type.
func theConditions(t *testing.T, client *fake.Clientset) (map[corev1.NodeConditionType]corev1.ConditionStatus, *corev1.Node) {
	t.Helper()
	node, err := client.CoreV1().Nodes().Get(t.Context(), kubetest.TheNode, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[corev1.NodeConditionType]corev1.ConditionStatus{}
	for _, c := range node.Status.Conditions {
		out[c.Type] = c.Status
	}
	return out, node
}

func TestMarkSetsTheConditionsOfAStageAndKeepsTheOthers(t *testing.T) {
	const yes, no, none = corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionStatus("")
	client := kubetest.NewClient()
	for _, c := range []struct {
		stage                          Stage
		draining, drained, maintenance corev1.ConditionStatus
	}{
		{Draining, yes, no, none}, {Drained, no, yes, none}, {Maintaining, no, yes, yes}, {Draining, yes, no, yes},
		{Stopped, no, no, yes}, {NotMaintaining, no, no, none}, {NotDraining, none, none, none}, {NotDraining, none, none, none},
	} {
		if err := Mark(t.Context(), client, []string{kubetest.TheNode, "gone"}, c.stage); err != nil {
			t.Fatal(err)
		}
		got, node := theConditions(t, client)
		if got[corev1.NodeDrainInProgress] != c.draining || got[corev1.NodeDrained] != c.drained ||
			got[corev1.NodeMaintenanceInProgress] != c.maintenance || got[corev1.NodeReady] != yes {
			t.Errorf("%s: %v", c.stage, got)
		}
		if marked(node) != (c.draining != none) || len(foreignTo(node)) > 0 {
			t.Errorf("%s: marked %v, foreign %v", c.stage, marked(node), foreignTo(node))
		}
	}
}

// Tools that reboot or delete nodes say so by annotations and taints, and hold locks.
func TestOtherToolsAtWorkAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		set  map[string]string
		node func(*corev1.Node)
		want string
	}{
		"none": {map[string]string{"x/kured": "{}"}, func(*corev1.Node) {}, ""},
		"kured's lock, which outlives the node": {map[string]string{"weave.works/kured-node-lock": `{"nodeID":"n0","created":"x","TTL":0}`},
			func(*corev1.Node) {},
			"daemonset kube-system/kured holds kured's lock for it, and may reboot it; a lock of a node that is gone stays, and no other node is " +
				"rebooted: " +
				"kubectl annotate daemonset -n kube-system kured weave.works/kured-node-lock-"},
		"one of several holders": {map[string]string{
			"own.example.com/kured-node-lock": `{"maxOwners":2,"locks":[{"nodeID":"n7"},{"nodeID":"n0"}]}`,
		}, func(*corev1.Node) {}, "own.example.com/kured-node-lock-"},
		"another node's":      {map[string]string{"weave.works/kured-node-lock": `{"nodeID":"n7"}`}, func(*corev1.Node) {}, ""},
		"a lock that is none": {map[string]string{"weave.works/kured-node-lock": `n0`}, func(*corev1.Node) {}, ""},
		"a reboot under way": {nil, func(n *corev1.Node) {
			n.Annotations = map[string]string{"weave.works/kured-reboot-in-progress": "2026-05-04T03:02:01Z"}
		}, "kured reboots it (since 2026-05-04T03:02:01Z)"},
		"an autoscaler": {nil, func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler"}} },
			"it is to be deleted (taint ToBeDeletedByClusterAutoscaler)"},
	} {
		node := kubetest.Node("n0")
		tc.node(node)
		s := Snapshot{Nodes: []corev1.Node{*node}}
		s.ReadLock(&appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kured", Annotations: tc.set}})
		got := strings.Join(Decide(s, DefaultOptions()).Foreign(), "\n")
		if (got == "") != (tc.want == "") || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}

func TestAConditionThatSomeoneElseWroteStays(t *testing.T) {
	client := kubetest.NewClient()
	theirs := apply.Node(kubetest.TheNode).WithStatus(apply.NodeStatus().WithConditions(
		apply.NodeCondition().WithType(corev1.NodeDrained).WithStatus(corev1.ConditionTrue).WithReason("Operator").WithMessage("by hand"),
		apply.NodeCondition().WithType(corev1.NodeMaintenanceInProgress).WithStatus(corev1.ConditionTrue).WithReason("Upgrade").
			WithMessage("new kernel")))
	if _, err := client.CoreV1().Nodes().ApplyStatus(t.Context(), theirs, metav1.ApplyOptions{FieldManager: "operator"}); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []Stage{Draining, Stopped, Maintaining, NotMaintaining, NotDraining} {
		if err := Mark(t.Context(), client, []string{kubetest.TheNode}, stage); err != nil {
			t.Fatalf("%s: %v", stage, err)
		}
		got, node := theConditions(t, client)
		if got[corev1.NodeDrained] != corev1.ConditionTrue || got[corev1.NodeMaintenanceInProgress] != corev1.ConditionTrue {
			t.Errorf("%s: %v", stage, got)
		}
		if inProgress := got[corev1.NodeDrainInProgress]; (inProgress == corev1.ConditionTrue) != (stage == Draining) {
			t.Errorf("%s: DrainInProgress is %q", stage, inProgress)
		}
		if foreign := foreignTo(node); !slices.Equal(foreign, []string{"MaintenanceInProgress (Upgrade: new kernel)"}) {
			t.Errorf("%s: foreign are %q", stage, foreign)
		}
	}
}

func TestConditionsThatMayNotBeSetAreSaidOnceWithTheRight(t *testing.T) {
	client := fake.NewClientset(kubetest.Node("n0"), kubetest.Node("n1"))
	client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, kubetest.NoRight("patch", "nodes/status")
	})
	err := Mark(t.Context(), client, []string{"n0", "n1"}, Draining)
	if !apierrors.IsForbidden(err) || strings.Count(err.Error(), "n0")+strings.Count(err.Error(), "n1") != 1 ||
		!strings.Contains(plan.HintOf(err), "the verb patch on nodes/status") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
}

func TestUncordonRemovesTheConditionsOfADrain(t *testing.T) {
	client := kubetest.NewClient()
	if err := Mark(t.Context(), client, []string{kubetest.TheNode}, Drained); err != nil {
		t.Fatal(err)
	}
	if changed, err := (Scheduling{}).Apply(t.Context(), client, kubetest.TheNode); !changed || err != nil {
		t.Fatal(changed, err)
	}
	if got, _ := theConditions(t, client); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

func TestANodeOfAMachineIsNamedBeforeItIsDrained(t *testing.T) {
	for name, tc := range map[string]struct {
		annotations map[string]string
		want        string
	}{
		"no machine's": {nil, ""},
		"of a machine": {
			map[string]string{"cluster.x-k8s.io/machine": "m-1", "cluster.x-k8s.io/cluster-namespace": "metal"}, "n0 (machine metal/m-1)",
		},
		"of a machine of an older Cluster API": {map[string]string{"cluster.x-k8s.io/machine": "m-1"}, "n0 (machine m-1)"},
		"another annotation of Cluster API":    {map[string]string{"cluster.x-k8s.io/cluster-name": "prod"}, ""},
	} {
		node := kubetest.Node("n0")
		node.Annotations = tc.annotations
		got := strings.Join(Decide(Snapshot{Nodes: []corev1.Node{*node}}, DefaultOptions()).Warnings(), "\n")
		if strings.Contains(got, "Cluster API") != (tc.want != "") || !strings.HasSuffix(got, tc.want) {
			t.Errorf("%s: it says %q", name, got)
		}
	}
}
