// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	discovery "k8s.io/client-go/discovery/fake"
)

func TestServesConditions(t *testing.T) {
	for minor, want := range map[string]bool{"36": false, "37": true, "37+": true, "40": true, "": false} {
		client := newClient()
		client.Discovery().(*discovery.FakeDiscovery).FakedServerVersion = &version.Info{Major: "1", Minor: minor}
		if got := ServesConditions(client); got != want {
			t.Errorf("1.%s: %v", minor, got)
		}
	}
}

func TestMarkSetsBothConditionsAndKeepsTheOthers(t *testing.T) {
	client := newClient()
	for _, c := range []struct {
		stage             Stage
		draining, drained corev1.ConditionStatus
	}{
		{Draining, corev1.ConditionTrue, corev1.ConditionFalse},
		{Drained, corev1.ConditionFalse, corev1.ConditionTrue},
		{NotDraining, corev1.ConditionFalse, corev1.ConditionFalse},
	} {
		if err := Mark(t.Context(), client, []string{theNode}, c.stage); err != nil {
			t.Fatal(err)
		}
		node, err := client.CoreV1().Nodes().Get(t.Context(), theNode, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[corev1.NodeConditionType]corev1.ConditionStatus{}
		for _, condition := range node.Status.Conditions {
			got[condition.Type] = condition.Status
		}
		if got[corev1.NodeDrainInProgress] != c.draining || got[corev1.NodeDrained] != c.drained || got[corev1.NodeReady] != corev1.ConditionTrue {
			t.Errorf("%s: %v", c.stage, got)
		}
		if marked(node) != (c.stage != NotDraining) {
			t.Errorf("%s: marked says %v", c.stage, marked(node))
		}
	}
	if err := Mark(t.Context(), client, []string{"nobody"}, Draining); err == nil {
		t.Error("a node that is not there was marked")
	}
}
