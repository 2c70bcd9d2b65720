// SPDX-License-Identifier: Apache-2.0

package marks

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestMarksAreRead(t *testing.T) {
	for name, tc := range map[string]struct {
		roles, labels, taints []string
		want                  string // labels and taints, or the error
	}{
		"nothing": {nil, nil, nil, "map[] []"},
		"all": {[]string{"worker"}, []string{"rack=7", "a/b="}, []string{"gpu=yes:NoSchedule", "x:NoExecute"},
			"map[a/b: node-role.kubernetes.io/worker: rack:7] [gpu=yes:NoSchedule x:NoExecute]"},
		"one key, two effects":      {nil, nil, []string{"a:NoSchedule", "a:NoExecute"}, "map[] [a:NoSchedule a:NoExecute]"},
		"a role that is a label":    {[]string{"a/b"}, nil, nil, "must be a name such as worker"},
		"an empty role":             {[]string{""}, nil, nil, "it is no label"},
		"a label without a value":   {nil, []string{"rack"}, nil, "must be KEY=VALUE"},
		"a label that goes":         {nil, []string{"rack-"}, nil, "must be KEY=VALUE"},
		"a label twice":             {nil, []string{"a=1", "a=2"}, nil, "named twice"},
		"a role, and as a label":    {[]string{"w"}, []string{"node-role.kubernetes.io/w=1"}, nil, "named twice"},
		"a value that is none":      {nil, []string{"a=b c"}, nil, "it is no label"},
		"a taint without an effect": {nil, nil, []string{"a=b"}, "must be KEY=VALUE:EFFECT"},
		"an effect that is none":    {nil, nil, []string{"a:Never"}, "the effect must be"},
		"a taint without a key":     {nil, nil, []string{":NoSchedule"}, "it is no taint"},
		"a taint twice":             {nil, nil, []string{"a=1:NoSchedule", "a=2:NoSchedule"}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(tc.roles, tc.labels, tc.taints)
			got := fmt.Sprint(err)
			if err == nil {
				var taints []string
				for _, taint := range m.Taints {
					taints = append(taints, taint.ToString())
				}
				got = fmt.Sprint(m.Labels, taints)
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// What a node has stays, what is wanted comes, and a second time nothing is written.
func TestMarksAreAppliedOnce(t *testing.T) {
	there := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w", Labels: map[string]string{"own": "1", "rack": "6"}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "own", Effect: corev1.TaintEffectNoSchedule},
			{Key: "gpu", Value: "no", Effect: corev1.TaintEffectNoSchedule}}}}
	client := fake.NewClientset(there)
	conflicts := 1
	client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		if conflicts--; conflicts >= 0 {
			return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, "w", nil)
		}
		return false, nil, nil
	})
	m, err := Parse([]string{"worker"}, []string{"rack=7"}, []string{"gpu=yes:NoSchedule", "new:NoExecute"})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	report := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	for range 2 {
		if err := m.Apply(t.Context(), client, "w", report); err != nil {
			t.Fatal(err)
		}
	}
	node, err := client.CoreV1().Nodes().Get(t.Context(), "w", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(node.Labels); got != "map[node-role.kubernetes.io/worker: own:1 rack:7]" {
		t.Errorf("labels: %s", got)
	}
	var taints []string
	for _, taint := range node.Spec.Taints {
		taints = append(taints, taint.ToString())
	}
	if got := fmt.Sprint(taints); got != "[own:NoSchedule gpu=yes:NoSchedule new:NoExecute]" {
		t.Errorf("taints: %s", got)
	}
	if len(said) != 1 || !strings.Contains(said[0], "not needed") {
		t.Errorf("said %q", said)
	}
	if (Marks{}).Needs() != nil || len(m.Needs()) == 0 {
		t.Error("what is needed does not follow the marks")
	}
}

func TestAMarkThatIsDeniedNamesTheWayOut(t *testing.T) {
	client := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w"}})
	client.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "w", nil)
	})
	err := Marks{Labels: map[string]string{"a": "b"}}.Apply(t.Context(), client, "w", func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "which has joined") || !strings.Contains(plan.HintOf(err), "kubectl label") {
		t.Errorf("%v, hint %q", err, plan.HintOf(err))
	}
}
