// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// stageDrain: what blocks is explained, a dry run changes nothing, the budget
// holds at every moment, and the second drain has nothing to do.
func (b *bed) stageDrain(t *testing.T) {
	b.joined(t)
	b.deployWeb(t, b.blank)
	t.Run("pods that need consent", b.drainNeedsConsent)
	t.Run("a budget that stays closed", b.drainTimesOut)
	for _, mode := range []string{"client", "server"} {
		b.unchanged(t, b.blank, func() {
			o := b.run(t, 0, "drain", b.blank, "--ignore-daemonsets", "--dry-run="+mode)
			if strings.Count(o.stdout, "web-") < 3 {
				t.Errorf("the dry run does not name the three pods:\n%s", o.stdout)
			}
		})
	}
	before := b.names(t, "")
	fewest := b.watchReady(t, shop, "app=web")
	o := b.must(t, "drain", b.blank, "--ignore-daemonsets", "--timeout", "3m")
	b.took("drain, 3 pods under a budget of 2", o.took)
	least, changes := fewest()
	b.budgetHeld(t, least, changes)
	if got := b.webOn(t, b.blank); got != 0 {
		t.Errorf("%d pods are still on the drained node", got)
	}
	if !b.node(t, b.blank).Spec.Unschedulable {
		t.Error("the drained node is not cordoned")
	}
	if changed := before.changed(b.names(t, "")); len(changed) > 0 {
		t.Errorf("the drain left or took away: %v", changed)
	}
	b.unchanged(t, "", func() {
		o := b.run(t, 0, "drain", b.blank, "--ignore-daemonsets")
		if !strings.Contains(o.stdout, "nothing to do") {
			t.Errorf("the second drain does not say that there is nothing to do: %q", o.stdout)
		}
	})
}

// budgetHeld checks what a watcher of the app has seen.
func (b *bed) budgetHeld(t *testing.T, fewest, changes int) {
	t.Helper()
	t.Logf("| the watcher saw %d changes, and never fewer than %d ready pods of 3", changes, fewest)
	if fewest < 2 {
		t.Errorf("the budget was violated: only %d pods were ready", fewest)
	}
	if changes < 6 {
		t.Errorf("the watcher saw only %d changes: it was not looking", changes)
	}
}

// watchReady watches the pods of an app from now on; what it returns ends that and says the
// fewest ready pods at any moment, and how many changes there were. A pod that
// is being deleted does not count as ready, as in the budget's own arithmetic.
func (b *bed) watchReady(t *testing.T, namespace, selector string) func() (fewest, changes int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	list, err := b.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	ready := map[types.UID]bool{}
	for _, pod := range list.Items {
		ready[pod.UID] = serves(&pod)
	}
	w, err := b.client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: selector, ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	fewest, changes := count(ready), 0
	var stopped atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		for event := range w.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			if !ok && stopped.Load() {
				return
			}
			if !ok {
				fewest = -1 // the watch broke: nothing was proved
				return
			}
			ready[pod.UID] = event.Type != watch.Deleted && serves(pod)
			fewest, changes = min(fewest, count(ready)), changes+1
		}
	})
	return func() (int, int) {
		stopped.Store(true)
		w.Stop()
		cancel()
		group.Wait()
		return fewest, changes
	}
}

func serves(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		return false
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func count(ready map[types.UID]bool) (n int) {
	for _, is := range ready {
		if is {
			n++
		}
	}
	return n
}

// drainNeedsConsent: pods that would be lost refuse the whole drain, each with
// its flag, before the node is cordoned.
func (b *bed) drainNeedsConsent(t *testing.T) {
	b.barePod(t, "alone", b.blank, "  volumes: [{name: scratch, emptyDir: {}}]")
	defer b.kubectl(t, "", "-n", shop, "delete", "pod/alone", "--grace-period=1")
	b.refuses(t, "",
		refusal{"no flag at all", []string{"drain", b.blank}, 4, []string{"--ignore-daemonsets", "--force", "--delete-emptydir-data",
			shop + "/alone"}, nil},
		refusal{"a pod of nobody", []string{"drain", b.blank, "--ignore-daemonsets", "--delete-emptydir-data"}, 4,
			[]string{"--force", shop + "/alone"}, nil},
		refusal{"a remove has the same rules", []string{"remove", b.blank, "--yes"}, 4, []string{"--force", shop + "/alone"}, nil},
	)
}

// drainTimesOut: a budget that never opens is named with its numbers, and the
// node stays cordoned, which is said. A removal takes its program off the host.
func (b *bed) drainTimesOut(t *testing.T) {
	b.setBudget(t, 3)
	defer b.setBudget(t, 2)
	o := b.run(t, 5, "drain", b.blank, "--ignore-daemonsets", "--timeout", "4s")
	o.says(t, shop+"/web", "3", "cordoned", "Deployment/web")
	before := b.names(t, "")
	o = b.run(t, 5, "remove", b.blank, "--yes", "--timeout", "30s")
	o.says(t, shop+"/web", "3", "cordoned", "Deployment/web")
	if changed := before.changed(b.names(t, "")); len(changed) > 0 {
		t.Errorf("the removal that timed out left or took away: %v", changed)
	}
	b.nothingOnHost(t)
	if got := b.webOn(t, b.blank); got != 3 {
		t.Errorf("%d of 3 pods are left although the budget allows none to go", got)
	}
	b.kubectl(t, "", "uncordon", b.blank)
}

// setBudget sets minAvailable and waits until the budget has been counted.
func (b *bed) setBudget(t *testing.T, n int) {
	t.Helper()
	b.kubectl(t, "", "-n", shop, "patch", "pdb", "web", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"minAvailable":%d}}`, n))
	eventually(t, 30*time.Second, "the budget is counted", func() (bool, string) {
		pdb, err := b.client.PolicyV1().PodDisruptionBudgets(shop).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return pdb.Status.ObservedGeneration == pdb.Generation && int(pdb.Status.DisruptionsAllowed) == 3-n,
			fmt.Sprintf("%d disruptions allowed", pdb.Status.DisruptionsAllowed)
	})
}
