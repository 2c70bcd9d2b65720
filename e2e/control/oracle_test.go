// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
)

// TestTheForecastIsWhatTheAPIServerDoes draws pods and budgets, foresees the
// drain of a node, and then evicts its pods by hand, wave after wave: the API
// server and the disruption controller are to let go in each wave the very pods
// that were foreseen, and no other.
func TestTheForecastIsWhatTheAPIServerDoes(t *testing.T) {
	p, trials := newPlane(t, 2), full(32, 12)
	guarded := full(80, 24) // pods under a budget there have to be, or the test has shown nothing
	p.shun(t, p.nodes[1])
	asked := make(chan int, trials)
	t.Run("trials", func(t *testing.T) {
		for n := range trials {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				asked <- p.trial(t, n)
			})
		}
	})
	close(asked)
	sum := 0
	for n := range asked {
		sum += n
	}
	t.Logf("| %d evictions of pods under a budget were foreseen and compared", sum)
	if sum < guarded {
		t.Errorf("only %d pods under a budget were asked about", sum)
	}
}

// shun makes the scheduler take a node last.
func (p *plane) shun(t *testing.T, node string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"taints":[{"key":"shunned","effect":%q}]}}`, corev1.TaintEffectPreferNoSchedule)
	if _, err := p.client.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// oracle is one drawn cluster: a namespace on the two nodes.
type oracle struct {
	*plane
	rand *rand.Rand
	// sets are the ReplicaSets, by the label "app".
	sets map[string]int
	// first are the pods that were drawn.
	first map[types.UID]bool
}

// trial returns how many pods under a budget were compared.
func (p *plane) trial(t *testing.T, n int) int {
	t.Helper()
	own := *p
	own.space = fmt.Sprintf("%s-%d", p.space, n)
	o := &oracle{plane: &own, rand: rand.New(rand.NewPCG(uint64(n), 7)), sets: map[string]int{}, first: map[types.UID]bool{}}
	o.forget(t)
	if _, err := o.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.space}},
		metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.forget(t) })
	o.draw(t, p.space)
	f := o.foresee(t)
	for _, pod := range o.pods(t) {
		o.first[pod.UID] = true
	}
	evictable := map[types.UID]forecast.PodForecast{}
	count := 0
	for _, pod := range f.Pods {
		if pod.Namespace == o.space && pod.Action == drain.ActionEvict {
			evictable[pod.UID] = pod
			if len(pod.Budgets) > 0 {
				count++
			}
		}
	}
	for wave := 1; len(evictable) > 0; wave++ {
		ready := o.ready(t)
		if o.evictOnce(t, f, evictable, wave) == 0 {
			break
		}
		o.replace(t, ready)
	}
	for _, left := range evictable {
		if left.Wave > 0 {
			t.Errorf("%s was to leave in wave %d and never did", left.Name, left.Wave)
		}
	}
	return count
}

// counted waits until the disruption controller has counted what is there. Of
// several budgets over one pod it looks at the first only when the pod changes
// (getPdbForPod), so that the others are touched.
func (o *oracle) counted(t *testing.T) {
	t.Helper()
	touched := time.Now()
	o.until(t, "the disruption controller has counted", func(ctx context.Context) (bool, error) {
		list, err := o.client.PolicyV1().PodDisruptionBudgets(o.space).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		pods, all := o.pods(t), true
		for i := range list.Items {
			pdb := &list.Items[i]
			if isCounted(pdb, pods) {
				continue
			}
			if all = false; len(list.Items) > 1 && time.Since(touched) > 300*time.Millisecond {
				touched = time.Now()
				patch := fmt.Sprintf(`{"metadata":{"annotations":{"touched":%q}}}`, touched)
				if _, err := o.client.PolicyV1().PodDisruptionBudgets(o.space).Patch(ctx, pdb.Name, types.MergePatchType, []byte(patch),
					metav1.PatchOptions{}); err != nil {
					return false, err
				}
			}
		}
		return all, nil
	})
}

// isCounted reports whether a budget knows how many of its pods are healthy, or
// will never know.
func isCounted(pdb *policyv1.PodDisruptionBudget, pods []corev1.Pod) bool {
	failed := meta.FindStatusCondition(pdb.Status.Conditions, policyv1.DisruptionAllowedCondition)
	if failed != nil && failed.Reason == policyv1.SyncFailedReason {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(pdb.Spec.Selector)
	healthy := 0
	for i := range pods {
		if err == nil && selector.Matches(labels.Set(pods[i].Labels)) && isReady(&pods[i]) {
			healthy++
		}
	}
	return pdb.Status.ObservedGeneration == pdb.Generation && int(pdb.Status.CurrentHealthy) == healthy && len(pdb.Status.DisruptedPods) == 0
}

func (o *oracle) foresee(t *testing.T) forecast.Forecast {
	t.Helper()
	options := drain.DefaultOptions()
	input, err := forecast.Read(t.Context(), o.client, drain.Target{Names: []string{o.nodes[0]}}, options)
	if err != nil {
		t.Fatal(err)
	}
	return forecast.Predict(input, options, "kubectl lifecycle drain")
}

// evictOnce asks for every pod that is left, once, and removes from left those
// that may go. Pods that are Ready leave a place for one that is.
func (o *oracle) evictOnce(t *testing.T, f forecast.Forecast, left map[types.UID]forecast.PodForecast, wave int) int {
	t.Helper()
	gone := 0
	for _, pod := range f.Pods {
		if _, there := left[pod.UID]; !there {
			continue
		}
		err := o.client.CoreV1().Pods(o.space).EvictV1(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: o.space,
			Name: pod.Name}})
		if said := answerOf(err); wave == 1 && !agrees(said, pod.Answer) {
			t.Errorf("%s under %v: foreseen %s, the API server says %v", pod.Name, pod.Budgets, pod.Answer, err)
		}
		if err != nil {
			continue
		}
		if gone++; pod.Wave != wave {
			t.Errorf("%s under %v left in wave %d, foreseen for %d (0: never)", pod.Name, pod.Budgets, wave, pod.Wave)
		}
		delete(left, pod.UID)
	}
	return gone
}

// ready counts the Ready pods of each ReplicaSet.
func (o *oracle) ready(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, pod := range o.pods(t) {
		if isReady(&pod) {
			out[pod.Labels["app"]]++
		}
	}
	return out
}

// replace waits for the successors and makes as many pods Ready as were before:
// those of pods that were not are not expected to do better.
func (o *oracle) replace(t *testing.T, before map[string]int) {
	t.Helper()
	o.complete(t)
	now := o.ready(t)
	for _, pod := range o.pods(t) {
		name := pod.Labels["app"]
		if now[name] < before[name] && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending && !o.first[pod.UID] {
			o.becomes(t, &pod, true)
			now[name]++
		}
	}
	o.counted(t)
}

func answerOf(err error) forecast.Answer {
	switch {
	case err == nil:
		return forecast.AnswerSpend
	case apierrors.IsTooManyRequests(err):
		return forecast.AnswerClosed
	case apierrors.IsInternalError(err):
		return forecast.AnswerSeveral
	}
	return forecast.Answer(err.Error())
}

// agrees: from outside nobody sees whether a budget was charged; and within a
// wave others may have spent it before.
func agrees(said, foreseen forecast.Answer) bool {
	switch foreseen {
	case forecast.AnswerFree:
		return said == forecast.AnswerSpend
	case forecast.AnswerSpend:
		return said == forecast.AnswerSpend || said == forecast.AnswerClosed
	case forecast.AnswerClosed, forecast.AnswerSeveral:
	}
	return said == foreseen
}
