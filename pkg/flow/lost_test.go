// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

func TestANodeThatIsNotLostIsNotGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		denied []string
		says   string
	}{
		"its kubelet reports":            {says: "is not lost: its kubelet reports"},
		"it is NotReady by its own word": {change: func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionFalse }, says: "is not lost"},
		"the last control plane":         {change: func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" }, says: "is the only control-plane node"},
		"a k3s node":                     {change: func(n *corev1.Node) { n.Status.NodeInfo.KubeletVersion = "v1.36.1+k3s1" }, says: "a k3s node"},
		"a missing verb":                 {denied: []string{"get leases"}, says: "get leases"},
	} {
		t.Run(name, func(t *testing.T) {
			node := worker()
			if tc.change != nil {
				tc.change(node)
			}
			client := permissive(t, tc.denied, []runtime.Object{node, kubeadmConfig()}...)
			_, err := PrepareLost(t.Context(), runner.Cluster{Client: client}, "w1", LostOptions{Timeout: time.Minute}, func(string, ...any) {})
			if plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, hint %q", err, plan.HintOf(err))
			}
		})
	}
}

// Between the look and the deed a person is asked, who may take an hour to answer: a host
// that comes back in that time is not given up.
func TestAHostThatComesBackBeforeTheDeedIsNotGivenUp(t *testing.T) {
	silent := func() *corev1.Node {
		node := worker()
		node.UID = "1"
		node.Status.Conditions[0].Status = corev1.ConditionUnknown
		return node
	}
	lease := func(at int64) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "w1", Namespace: corev1.NamespaceNodeLease}, Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: time.Unix(at, 0)}}}
	}
	for name, tc := range map[string]struct {
		change func(*corev1.Node)
		lease  int64
		says   string
	}{
		"it is silent still":     {lease: 1},
		"it reports":             {func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionTrue }, 1, "its kubelet reports"},
		"it has joined anew":     {func(n *corev1.Node) { n.UID = "2" }, 1, "is another one by now"},
		"it has renewed a lease": {nil, 2, "has written its lease"},
	} {
		t.Run(name, func(t *testing.T) {
			node := silent()
			if tc.change != nil {
				tc.change(node)
			}
			before, err := readTraces(t.Context(), permissive(t, nil, silent(), lease(1)), "w1")
			if err != nil {
				t.Fatal(err)
			}
			client := permissive(t, nil, node, lease(tc.lease))
			l := &Lost{Node: silent(), cluster: runner.Cluster{Client: client}, seen: before}
			first := l.Plan().Steps[0].Do(t.Context(), func(string, ...any) {})
			taint := l.taint(t.Context(), func(string, ...any) {})
			for _, err := range []error{first, taint} {
				if (err != nil) != (tc.says != "") || err != nil && (!strings.Contains(err.Error(), tc.says) || plan.HintOf(err) == "") {
					t.Errorf("got %v", err)
				}
			}
			for _, a := range client.Actions() {
				if tc.says != "" && a.GetVerb() != "get" && a.GetVerb() != "list" {
					t.Errorf("%s %s", a.GetVerb(), a.GetResource().Resource)
				}
			}
		})
	}
}
