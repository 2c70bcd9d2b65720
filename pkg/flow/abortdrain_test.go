// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// What a person has cordoned, and means to be so, no drain takes back
// (rancher/system-upgrade-controller#341, NVIDIA/k8s-driver-manager#240).
func TestATakenBackDrainLeavesTheCordonsOfOthers(t *testing.T) {
	fields := func(manager, set string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(set)}
	}
	for name, tc := range map[string]struct {
		note   string
		fields []metav1.ManagedFieldsEntry
		want   bool
		says   string
	}{
		"a drain's": {`{"by":"ann","drain":true}`, nil, false, "is schedulable again"},
		"kubectl's": {``, nil, true, "no drain of this plugin has cordoned it"},
		"one that was asked for by itself": {`{"by":"ann","reason":"bad memory"}`, nil, true,
			"bad memory; to end that: kubectl lifecycle uncordon n0"},
		"kubectl's, after a drain's that kubectl has ended": {`{"by":"ann","drain":true}`, []metav1.ManagedFieldsEntry{
			fields("kubectl-lifecycle", `{"f:metadata":{"f:annotations":{"f:lifecycle.kubectl.io/cordon":{}}}}`), fields("kubectl-cordon",
				`{"f:spec":{"f:unschedulable":{}}}`),
		}, true, "no drain of this plugin has cordoned it"},
	} {
		t.Run(name, func(t *testing.T) {
			node := kubetest.Cordoned(kubetest.Node("n0"))
			node.Annotations = map[string]string{"other": "x"}
			if tc.note != "" {
				node.Annotations[drain.NoteAnnotation] = tc.note
			}
			node.ManagedFields = tc.fields
			client := fake.NewClientset(node)
			said, err := AbortDrain(t.Context(), client, drain.Target{Names: []string{"n0"}})
			if err != nil || !strings.Contains(strings.Join(said, "\n"), tc.says) {
				t.Errorf("it says %q, %v", said, err)
			}
			after, err := client.CoreV1().Nodes().Get(t.Context(), "n0", metav1.GetOptions{})
			if err != nil || after.Spec.Unschedulable != tc.want {
				t.Errorf("cordoned: %t, %v", after.Spec.Unschedulable, err)
			}
		})
	}
}
