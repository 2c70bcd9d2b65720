// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"strings"
	"testing"

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
		if got[corev1.NodeDrainInProgress] != c.draining || got[corev1.NodeDrained] != c.drained || got[corev1.NodeMaintenanceInProgress] != c.maintenance || got[corev1.NodeReady] != yes {
			t.Errorf("%s: %v", c.stage, got)
		}
		if marked(node) != (c.draining != none) || len(foreignTo(node)) > 0 {
			t.Errorf("%s: marked %v, foreign %v", c.stage, marked(node), foreignTo(node))
		}
	}
}

func TestAConditionThatSomeoneElseWroteStays(t *testing.T) {
	client := kubetest.NewClient()
	theirs := apply.Node(kubetest.TheNode).WithStatus(apply.NodeStatus().WithConditions(
		apply.NodeCondition().WithType(corev1.NodeDrained).WithStatus(corev1.ConditionTrue).WithReason("Operator").WithMessage("by hand"),
		apply.NodeCondition().WithType(corev1.NodeMaintenanceInProgress).WithStatus(corev1.ConditionTrue).WithReason("Upgrade").WithMessage("new kernel")))
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
	if !apierrors.IsForbidden(err) || strings.Count(err.Error(), "n0")+strings.Count(err.Error(), "n1") != 1 || !strings.Contains(plan.HintOf(err), "'patch' on 'nodes/status'") {
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
