// SPDX-License-Identifier: Apache-2.0

package hostlook

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name string, ready corev1.ConditionStatus, os string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: os}},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

func TestTroubledHostsAreAskedFirst(t *testing.T) {
	nodes := []*corev1.Node{node("d", corev1.ConditionTrue, "linux"), node("c", corev1.ConditionFalse, "linux"),
		node("b", corev1.ConditionUnknown, "linux"), node("a", corev1.ConditionTrue, "windows"), node("e", corev1.ConditionTrue, "linux")}
	for name, c := range map[string]struct {
		troubled []string
		most     int
		want     string
		left     int
	}{
		"by name, without what cannot be asked": {nil, 9, "c d e", 0},
		"the troubled first":                    {[]string{"e"}, 9, "e c d", 0},
		"no more than allowed":                  {[]string{"e"}, 2, "e c", 1},
		"none":                                  {nil, 0, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, left := Choose(nodes, c.troubled, c.most)
			var names []string
			for _, n := range chosen {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != c.want || left != c.left {
				t.Errorf("%q, %d left", got, left)
			}
		})
	}
}
