// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/jointest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
)

func TestFollowSaysThatAReadyNodeIsCordoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := jointest.Cordoned(jointest.Node("w3", corev1.ConditionUnknown, "Kubelet stopped posting node status."))
		old.CreationTimestamp = metav1.NewTime(time.Now().Add(-time.Hour))
		r := ours(t)
		r.Note = jointest.ByAnn
		b := follow(t, fake.NewClientset(old), r, time.Hour)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		if all := strings.Join(b.reports, "\n"); !strings.Contains(all, "node w3 is cordoned by ann") {
			t.Errorf("it did not say before that the node is cordoned: %s", all)
		}
		b.changeNode(jointest.Cordoned(jointest.Node("w3", corev1.ConditionTrue, "")))
		b.last("host w3 is Ready, but node w3 is cordoned by ann")
		b.end(Ready, "")
		wantWarnings(t, b.arrival.Away, "node w3 is cordoned by ann")
	})
}

func TestFollowGivesOthersTimeToTakeTheirTaintsOff(t *testing.T) {
	const cloud = "node.cloudprovider.kubernetes.io/uninitialized"
	begin := func(t *testing.T, timeout time.Duration) *bed {
		t.Helper()
		b := follow(t, fake.NewClientset(), ours(t), timeout)
		b.makeCSR(csrOf(t, "csr-1", "w3", issued))
		b.makeNode(jointest.Tainted(jointest.NoSchedule(cloud), jointest.NoSchedule("node.kubernetes.io/not-ready")))
		b.last("host w3 is Ready, but taint " + cloud)
		if b.done {
			t.Fatal("it did not wait for the taint to go")
		}
		return b
	}
	t.Run("and ends at once when they have", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, time.Hour)
			b.changeNode(jointest.Tainted())
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away)
		})
	})
	t.Run("and names what stays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, time.Hour)
			b.changeNode(jointest.Tainted(jointest.NoSchedule(cloud)))
			time.Sleep(check.UntaintTimeout + watch.Heartbeat)
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away, "taint "+cloud)
		})
	})
	t.Run("but not beyond the end of its own time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := begin(t, check.UntaintTimeout/2)
			time.Sleep(check.UntaintTimeout / 2)
			b.end(Ready, "")
			wantWarnings(t, b.arrival.Away, "taint "+cloud, "node-lifecycle-controller")
		})
	})
}

func wantWarnings(t *testing.T, got []check.Warning, want ...string) {
	t.Helper()
	jointest.WantWarnings(t, got, func(w check.Warning) (string, string) { return w.Text, w.Hint }, want...)
}
