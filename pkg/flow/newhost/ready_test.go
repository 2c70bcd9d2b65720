// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// The Node of a host that has joined may still have the Ready of before: it counts once the kubelet
// reports, and if it says so still.
func TestAReadyOfBeforeTheJoinIsNotTaken(t *testing.T) {
	for name, tc := range map[string]struct {
		renews bool
		posts  corev1.ConditionStatus // empty for nothing
		ready  bool
	}{
		"its kubelet is silent":                   {},
		"its kubelet reports, and nothing is new": {renews: true, ready: true},
		"its kubelet says that it is Ready":       {renews: true, posts: corev1.ConditionTrue, ready: true},
		"its kubelet says that it is not":         {renews: true, posts: corev1.ConditionFalse},
		"it posts without renewing its lease":     {posts: corev1.ConditionTrue},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := metav1.NewTime(time.Now())
				node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
					{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: at}}}}
				lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: "w1"},
					Spec: coordinationv1.LeaseSpec{RenewTime: &metav1.MicroTime{Time: at.Time}}}
				client := fake.NewClientset(node, lease)
				var err error
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					err = AwaitReady(t.Context(), client, "w1", func(string, ...any) {})
				}()
				synctest.Wait()
				if tc.renews {
					lease = lease.DeepCopy()
					lease.Spec.RenewTime = &metav1.MicroTime{Time: at.Add(time.Hour)}
					if _, err := client.CoordinationV1().Leases(lease.Namespace).Update(t.Context(), lease, metav1.UpdateOptions{}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				if tc.posts != "" {
					node = node.DeepCopy()
					node.Status.Conditions[0].Status, node.Status.Conditions[0].LastHeartbeatTime = tc.posts, metav1.NewTime(at.Add(time.Hour))
					if _, err := client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				ready := false
				select {
				case <-ended:
					ready = err == nil
				case <-time.After(10 * time.Minute):
				}
				if ready != tc.ready {
					t.Errorf("taken for Ready: %v, error %v", ready, err)
				}
			})
		})
	}
}
