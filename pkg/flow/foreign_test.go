// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/departure"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// locked is kured, which holds its lock for the node.
func locked() *appsv1.DaemonSet {
	set := kubetest.DaemonSet()
	set.Annotations = map[string]string{"weave.works/kured-node-lock": `{"nodeID":"w1"}`}
	return set
}

// A drain may take hours: what another tool has begun by its end is looked at then.
func TestAToolThatGoesToWorkDuringADrainIsNamedAtItsEnd(t *testing.T) {
	onNode := func(change func(*corev1.Node)) func(*testing.T, *fake.Clientset) {
		return func(t *testing.T, client *fake.Clientset) {
			t.Helper()
			resource := corev1.SchemeGroupVersion.WithResource("nodes")
			found, err := client.Tracker().Get(resource, "", "w1")
			if err != nil {
				t.Error(err)
				return
			}
			node := found.(*corev1.Node).DeepCopy()
			change(node)
			if err := client.Tracker().Update(resource, node, ""); err != nil {
				t.Error(err)
			}
		}
	}
	taint := func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Effect: corev1.TaintEffectNoSchedule})
	}
	for name, tc := range map[string]struct {
		before  bool // it was shown already
		happens func(*testing.T, *fake.Clientset)
		want    string
	}{
		"nothing": {},
		"kured takes its lock": {happens: func(t *testing.T, client *fake.Clientset) {
			t.Helper()
			if err := client.Tracker().Update(appsv1.SchemeGroupVersion.WithResource("daemonsets"), locked(), "shop"); err != nil {
				t.Error(err)
			}
		}, want: "node w1: daemonset shop/agent holds kured's lock for it"},
		"kured had it before": {before: true},
		"a condition says so": {happens: onNode(func(n *corev1.Node) {
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{Type: corev1.NodeMaintenanceInProgress,
				Status: corev1.ConditionTrue, Reason: "Upgrade", Message: "new kernel"})
		}), want: "MaintenanceInProgress (Upgrade: new kernel)"},
		"the autoscaler deletes it": {happens: onNode(taint),
			want: "it is to be deleted (taint ToBeDeletedByClusterAutoscaler)"},
		"kured had it before, and the autoscaler deletes it": {before: true, happens: onNode(taint), want: "it is to be deleted (taint"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				set := kubetest.DaemonSet()
				if tc.before {
					set = locked()
				}
				client := kubetest.NewClient(kubetest.Pod("web-1"), kubetest.Pod("agent-1", kubetest.OfDaemonSet), kubetest.ReplicaSet(), set)
				client.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
					time.AfterFunc(time.Second, func() {
						if tc.happens != nil {
							tc.happens(t, client)
						}
					})
					time.AfterFunc(2*time.Second, func() {
						_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", "web-1")
					})
					return true, nil, nil
				})
				options := drain.DefaultOptions()
				options.IgnoreDaemonSets = true
				d := &Drain{Client: client, Nodes: []string{"w1"}, Options: options}
				if err := d.Decide(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := d.evict(t.Context(), func(string, ...any) {}); err != nil {
					t.Fatal(err)
				}
				said := strings.Join(d.Outcome.Foreign, "\n")
				if (said == "") != (tc.want == "") || !strings.Contains(said, tc.want) || tc.before && strings.Contains(said, "kured") {
					t.Errorf("said %q, want %q", said, tc.want)
				}
			})
		})
	}
}

// The lock of a node that is gone stays, and no other node is rebooted.
func TestALockOfANodeThatIsGoneIsNamed(t *testing.T) {
	client := fake.NewClientset(locked(), &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other",
		Annotations: map[string]string{"weave.works/kured-node-lock": `{"nodeID":"w2"}`}}})
	held := departure.Held(t.Context(), client, "w1")
	if len(held) != 1 || !strings.HasPrefix(held[0], "node w1 is gone, and daemonset shop/agent holds kured's lock") ||
		!strings.HasSuffix(held[0], "kubectl annotate daemonset -n shop agent weave.works/kured-node-lock-") {
		t.Errorf("held %q", held)
	}
}
