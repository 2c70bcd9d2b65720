// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/forecast"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// world is a cluster on which a drain is played step by step, with nothing
// worked out ahead: budgets are counted anew from the pods at every step, the
// gate is asked for every pod, and the turns are those of a drain.
type world struct {
	input forecast.Input
	opts  drain.Options
	// members are the pods under each budget, on whatever node, by the budget's
	// UID; true for those that are healthy.
	members map[types.UID]map[types.UID]bool
}

// recount is what the disruption controller does.
func (w *world) recount() {
	for i := range w.input.Budgets {
		budget := &w.input.Budgets[i]
		budget.Status.CurrentHealthy = 0
		for _, healthy := range w.members[budget.UID] {
			if healthy {
				budget.Status.CurrentHealthy++
			}
		}
		budget.Status.DisruptionsAllowed = max(budget.Status.CurrentHealthy-budget.Status.DesiredHealthy, 0)
	}
}

// play drains in lockstep, and returns the wave of each pod, 0 for those that
// are left.
func (w *world) play() map[types.UID]int {
	d := drain.Decide(w.input.Snapshot, w.opts)
	pods := map[types.UID]*corev1.Pod{}
	for i := range w.input.Pods {
		pods[w.input.Pods[i].UID] = &w.input.Pods[i]
	}
	var items []*item
	for _, v := range d.ToEvict() {
		it := &item{Verdict: v, said: answer{cause: drain.CauseNotAsked}}
		if v.Action == drain.ActionWait {
			it.phase = stopping
		}
		items = append(items, it)
	}
	turns := newTurns(d.Nodes, items, w.opts)
	budgets := pdb.NewGuards(kube.Pointers(w.input.Budgets))
	waves, lacking := map[types.UID]int{}, map[types.UID]bool{}
	for wave := 1; ; wave++ {
		var going []*item
		for _, it := range items {
			if it.phase == stopping {
				going = append(going, it)
			}
		}
		for changed := true; changed; {
			changed = false
			turns.advance(time.Unix(0, 0))
			for _, it := range items {
				if it.phase != waiting || turns.wait(it) != "" {
					continue
				}
				pod := pods[it.UID]
				counts := w.opts.WaitForReplacement && len(it.Owners) > 0
				if counts && lacking[it.Owners[0].UID] {
					continue
				}
				matching := budgets.Of(pod)
				switch answer := pdb.GateOf(pod, matching); answer {
				case pdb.Closed:
				case pdb.Several:
					changed = changed || it.said.cause != drain.CauseSeveralBudgets
					it.said.cause = drain.CauseSeveralBudgets
				case pdb.Free, pdb.Spend:
					if answer == pdb.Spend {
						matching[0].Status.DisruptionsAllowed--
						if kube.PodReady(pod) {
							matching[0].Status.CurrentHealthy--
						}
					}
					it.phase = stopping
					going = append(going, it)
					if counts && kube.PodReady(pod) {
						lacking[it.Owners[0].UID] = true
					}
				}
			}
		}
		if len(going) == 0 {
			return waves
		}
		for _, it := range going {
			it.phase, waves[it.UID] = left, wave
			healthy := len(it.Owners) > 0 && it.Action != drain.ActionWait && kube.PodReady(pods[it.UID])
			for _, budget := range budgets.Of(pods[it.UID]) {
				w.members[budget.UID][it.UID] = healthy
			}
			if healthy {
				delete(lacking, it.Owners[0].UID)
			}
		}
		w.recount()
	}
}

// randomWorld has up to 5 nodes in 2 zones and 24 pods under up to 4 budgets.
func randomWorld(r *rand.Rand) *world {
	w := &world{opts: drain.DefaultOptions(), members: map[types.UID]map[types.UID]bool{}}
	w.opts.Force, w.opts.MaxParallel = true, fmt.Sprint(1+r.IntN(4))
	w.opts.OneZone, w.opts.WaitForReplacement = r.IntN(4) == 0, r.IntN(4) == 0
	if r.IntN(3) == 0 {
		w.opts.Order = []string{"tier=a", "tier=b"}
	}
	nodes := 1 + r.IntN(5)
	for i := range nodes {
		node := kubetest.Node(fmt.Sprint("w", i))
		node.Labels = map[string]string{corev1.LabelTopologyZone: fmt.Sprint("z", r.IntN(2))}
		w.input.Nodes = append(w.input.Nodes, *node)
	}
	for i := range r.IntN(5) {
		budget := kubetest.Budget(fmt.Sprint("b", i), int32(r.IntN(5)), 0, 0)
		budget.Spec.Selector.MatchLabels = map[string]string{"app": fmt.Sprint("a", r.IntN(4))}
		if r.IntN(4) == 0 {
			policy := policyv1.AlwaysAllow
			budget.Spec.UnhealthyPodEvictionPolicy = &policy
		}
		w.input.Budgets = append(w.input.Budgets, *budget)
		w.members[budget.UID] = map[types.UID]bool{}
	}
	budgets := pdb.NewGuards(kube.Pointers(w.input.Budgets))
	for i := range r.IntN(25) {
		pod := randomPod(r, i, nodes)
		healthy := kube.PodReady(pod) && pod.DeletionTimestamp == nil
		for _, budget := range budgets.Of(pod) {
			w.members[budget.UID][pod.UID] = healthy
		}
		if r.IntN(4) > 0 { // else it is on a node that is not drained
			w.input.Pods = append(w.input.Pods, *pod)
		}
	}
	w.recount()
	return w
}

func randomPod(r *rand.Rand, i, nodes int) *corev1.Pod {
	app := fmt.Sprint("a", r.IntN(4))
	pod := kubetest.Pod(fmt.Sprintf("p%02d", i), kubetest.Labelled("app", app), kubetest.OnNode(fmt.Sprint("w", r.IntN(nodes))),
		kubetest.ControlledBy("apps/v1", "ReplicaSet", app))
	if tier := r.IntN(3); tier < 2 {
		kubetest.Labelled("tier", string(rune('a'+tier)))(pod)
	}
	switch r.IntN(8) {
	case 0:
		kubetest.Unready(pod)
	case 1:
		kubetest.Uncontrolled(pod)
	case 2:
		kubetest.Unready(pod)
		pod.Status.Phase = corev1.PodPending
	case 3:
		kubetest.Unready(pod)
		pod.Status.Phase = corev1.PodSucceeded
	case 4:
		kubetest.DeletedAt(time.Unix(0, 0), 1)(pod)
	}
	return pod
}

func TestTheWalkIsWhatADrainStepByStepComesTo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	several, kept, waves := 0, 0, 0
	for range 3000 {
		w := randomWorld(r)
		f := forecast.Predict(w.input, w.opts, "drain")
		before := fmt.Sprintf("%+v\nnodes %d, budgets %+v\npods %+v", w.opts, len(w.input.Nodes), w.input.Budgets, f.Pods)
		want := w.play()
		for _, p := range f.Pods {
			if p.Action != drain.ActionSkip && p.Wave != want[p.UID] {
				t.Fatalf("seed %d: %s leaves in wave %d, and step by step in wave %d\n%s", seed, p.Pod, p.Wave, want[p.UID], before)
			}
			if p.Answer == forecast.AnswerSeveral {
				several++
			}
			if p.Kept != "" {
				kept++
			}
			waves = max(waves, p.Wave)
		}
	}
	if several == 0 || kept == 0 || waves < 4 {
		t.Errorf("seed %d: the worlds are too plain: %d pods under several budgets, %d kept, %d waves at most", seed, several, kept, waves)
	}
}

func TestEveryPodIsInOneWaveOrKept(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		w := randomWorld(r)
		f := forecast.Predict(w.input, w.opts, "drain")
		inWaves, blocked := 0, 0
		for _, wave := range f.Waves {
			inWaves += len(wave.Pods)
		}
		for _, b := range f.Blockers {
			blocked += len(b.Pods)
			if b.Why == "" || b.Class == "" || len(b.Remedies) == 0 {
				t.Fatalf("a blocker without a reason, a class or a remedy: %+v", b)
			}
		}
		turn := 0
		for _, p := range f.Pods {
			if p.Kept == drain.CauseTurn {
				turn++
			}
		}
		if inWaves+f.Kept() != f.Leaving() || blocked+turn != f.Kept() {
			t.Fatalf("%d leave, %d in waves, %d kept, %d blocked, %d wait for their turn", f.Leaving(), inWaves, f.Kept(), blocked, turn)
		}
		if (f.Err() != nil) != (f.Kept() > 0) {
			t.Fatalf("%d kept, and %v", f.Kept(), f.Err())
		}
	}
}
