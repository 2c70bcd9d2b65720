// SPDX-License-Identifier: Apache-2.0

package kubenode

import (
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// A kubelet renews its lease before it posts its status: the Ready of before it was stopped
// says nothing.
func TestTheReadyOfBeforeAKubeletWasStartedIsNotTaken(t *testing.T) {
	for name, tc := range map[string]struct {
		posts corev1.ConditionStatus // empty for nothing
		after time.Duration
		ready bool
	}{
		"nothing was posted yet":                {after: time.Second},
		"nothing has changed for long":          {after: firstWord + time.Second, ready: true},
		"it is not Ready any more":              {posts: corev1.ConditionFalse, after: firstWord + time.Second},
		"it is Ready, by what was posted since": {posts: corev1.ConditionTrue, after: time.Second, ready: true},
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
					err = AwaitReturn(t.Context(), client, "w1", func(string, ...any) {})
				}()
				synctest.Wait()
				lease = lease.DeepCopy()
				lease.Spec.RenewTime = &metav1.MicroTime{Time: at.Add(time.Hour)}
				_, failed := client.CoordinationV1().Leases(lease.Namespace).Update(t.Context(), lease, metav1.UpdateOptions{})
				if synctest.Wait(); failed != nil {
					t.Fatal(failed)
				}
				if tc.posts != "" {
					node = node.DeepCopy()
					node.Status.Conditions[0].Status, node.Status.Conditions[0].LastHeartbeatTime = tc.posts, metav1.NewTime(at.Add(time.Hour))
					if _, failed = client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); failed != nil {
						t.Fatal(failed)
					}
				}
				ready := false
				select {
				case <-ended:
					ready = err == nil
				case <-time.After(tc.after):
				}
				if ready != tc.ready {
					t.Errorf("taken for Ready: %v, error %v", ready, err)
				}
			})
		})
	}
}
