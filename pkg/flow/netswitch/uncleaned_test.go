// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestAHostThatWasNotCleanedIsNamedWhetherItAnswersOrNot(t *testing.T) {
	node := func(name string, made time.Time, ready corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(made)},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}}}
	}
	state := State{Cleaned: []string{"cleaned", "cleaned-and-gone"}, Installed: begun}
	got := state.Uncleaned([]*corev1.Node{
		node("cleaned", begun.Add(-time.Hour), corev1.ConditionTrue),
		node("silent", begun.Add(-time.Hour), corev1.ConditionUnknown),
		node("back", begun.Add(-time.Hour), corev1.ConditionTrue),
		node("joined-in-the-second-of-it", begun, corev1.ConditionTrue),
		node("joined-since", begun.Add(time.Second), corev1.ConditionTrue),
	})
	if want := []string{"silent", "back", "joined-in-the-second-of-it"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAHostThatWasNotCleanedIsNeverCleanedByTakingTheNewNetworkAway(t *testing.T) {
	if err := (State{From: "flannel", To: "flannel"}).Finding(nil); err != nil {
		t.Errorf("all were cleaned: %v", err)
	}
	for to, uninstalls := range map[string]bool{"flannel": false, "cilium": true} {
		err := State{From: "flannel", To: to}.Finding([]string{"w7"})
		if hint := plan.HintOf(err); plan.ClassOf(err) != plan.Found || !strings.Contains(err.Error(), "w7") ||
			strings.Contains(hint, "cni uninstall flannel") != uninstalls || !strings.Contains(hint, "kubectl lifecycle remove") {
			t.Errorf("to %s: %v (%s)", to, err, hint)
		}
	}
}
