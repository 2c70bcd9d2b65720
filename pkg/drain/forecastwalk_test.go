// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
)

// world is a cluster on which a drain is played step by step, with nothing
// worked out ahead: budgets are counted anew from the pods at every step, the
// gate is asked for every pod, and the turns are those of a drain.
type world struct {
	outlook Outlook
	opts    Options
	// members are the pods under each budget, on whatever node, by the budget's
	// UID; true for those that are healthy.
	members map[types.UID]map[types.UID]bool
}

// recount is what the disruption controller does.
func (w *world) recount() {
	for i := range w.outlook.Budgets {
		pdb := &w.outlook.Budgets[i]
		pdb.Status.CurrentHealthy = 0
		for _, healthy := range w.members[pdb.UID] {
			if healthy {
				pdb.Status.CurrentHealthy++
			}
		}
		pdb.Status.DisruptionsAllowed = max(pdb.Status.CurrentHealthy-pdb.Status.DesiredHealthy, 0)
	}
}

// play drains in lockstep, and returns the wave of each pod, 0 for those that
// are left.
func (w *world) play() map[types.UID]int {
	d := Decide(w.outlook.Snapshot, w.opts)
	pods := map[types.UID]*corev1.Pod{}
	for i := range w.outlook.Pods {
		pods[w.outlook.Pods[i].UID] = &w.outlook.Pods[i]
	}
	var items []*item
	for _, v := range d.ToEvict() {
		it := &item{Verdict: v, said: answer{cause: CauseNotAsked}}
		if v.Action == ActionWait {
			it.phase = stopping
		}
		items = append(items, it)
	}
	turns := newTurns(d.Nodes, items, w.opts)
	budgets := newGuards(pointers(w.outlook.Budgets))
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
				matching := budgets.of(pod)
				switch answer := gateOf(pod, matching); answer {
				case gateClosed:
				case gateSeveral:
					changed = changed || it.said.cause != CauseSeveralBudgets
					it.said.cause = CauseSeveralBudgets
				case gateFree, gateSpend:
					if answer == gateSpend {
						matching[0].Status.DisruptionsAllowed--
						if ready(pod) {
							matching[0].Status.CurrentHealthy--
						}
					}
					it.phase = stopping
					going = append(going, it)
					if counts && ready(pod) {
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
			healthy := len(it.Owners) > 0 && it.Action != ActionWait && ready(pods[it.UID])
			for _, pdb := range budgets.of(pods[it.UID]) {
				w.members[pdb.UID][it.UID] = healthy
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
	w := &world{opts: DefaultOptions(), members: map[types.UID]map[types.UID]bool{}}
	w.opts.Force, w.opts.MaxParallel = true, fmt.Sprint(1+r.IntN(4))
	w.opts.OneZone, w.opts.WaitForReplacement = r.IntN(4) == 0, r.IntN(4) == 0
	if r.IntN(3) == 0 {
		w.opts.Order = []string{"tier=a", "tier=b"}
	}
	nodes := 1 + r.IntN(5)
	for i := range nodes {
		node := makeNode(fmt.Sprint("w", i))
		node.Labels = map[string]string{corev1.LabelTopologyZone: fmt.Sprint("z", r.IntN(2))}
		w.outlook.Nodes = append(w.outlook.Nodes, *node)
	}
	for i := range r.IntN(5) {
		pdb := makeBudget(fmt.Sprint("b", i), int32(r.IntN(5)), 0, 0)
		pdb.Spec.Selector.MatchLabels = map[string]string{"app": fmt.Sprint("a", r.IntN(4))}
		if r.IntN(4) == 0 {
			policy := policyv1.AlwaysAllow
			pdb.Spec.UnhealthyPodEvictionPolicy = &policy
		}
		w.outlook.Budgets = append(w.outlook.Budgets, *pdb)
		w.members[pdb.UID] = map[types.UID]bool{}
	}
	budgets := newGuards(pointers(w.outlook.Budgets))
	for i := range r.IntN(25) {
		pod := randomPod(r, i, nodes)
		healthy := ready(pod) && pod.DeletionTimestamp == nil
		for _, pdb := range budgets.of(pod) {
			w.members[pdb.UID][pod.UID] = healthy
		}
		if r.IntN(4) > 0 { // else it is on a node that is not drained
			w.outlook.Pods = append(w.outlook.Pods, *pod)
		}
	}
	w.recount()
	return w
}

func randomPod(r *rand.Rand, i, nodes int) *corev1.Pod {
	app := fmt.Sprint("a", r.IntN(4))
	pod := makePod(fmt.Sprintf("p%02d", i), labelled("app", app), onNode(fmt.Sprint("w", r.IntN(nodes))), controlledBy("apps/v1", "ReplicaSet", app))
	if tier := r.IntN(3); tier < 2 {
		labelled("tier", string(rune('a'+tier)))(pod)
	}
	switch r.IntN(8) {
	case 0:
		unready(pod)
	case 1:
		uncontrolled(pod)
	case 2:
		unready(pod)
		pod.Status.Phase = corev1.PodPending
	case 3:
		unready(pod)
		pod.Status.Phase = corev1.PodSucceeded
	case 4:
		deletedAt(time.Unix(0, 0), 1)(pod)
	}
	return pod
}

func TestTheWalkIsWhatADrainStepByStepComesTo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	several, kept, waves := 0, 0, 0
	for range 3000 {
		w := randomWorld(r)
		f := Foresee(w.outlook, w.opts, "drain")
		before := fmt.Sprintf("%+v\nnodes %d, budgets %+v\npods %+v", w.opts, len(w.outlook.Nodes), w.outlook.Budgets, f.Pods)
		want := w.play()
		for _, p := range f.Pods {
			if p.Action != ActionSkip && p.Wave != want[p.UID] {
				t.Fatalf("seed %d: %s leaves in wave %d, and step by step in wave %d\n%s", seed, p.Pod, p.Wave, want[p.UID], before)
			}
			if p.Answer == AnswerSeveral {
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
		f := Foresee(w.outlook, w.opts, "drain")
		inWaves, blocked := 0, 0
		for _, wave := range f.Waves {
			inWaves += len(wave.Pods)
		}
		for _, b := range f.Blockers {
			blocked += len(b.Pods)
			if b.Why == "" || b.Class == "" || len(b.Cures) == 0 {
				t.Fatalf("a blocker without a reason, a class or a cure: %+v", b)
			}
		}
		turn := 0
		for _, p := range f.Pods {
			if p.Kept == CauseTurn {
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

func TestBudgetsReturnWithTheReplacement(t *testing.T) {
	// Ten pods, one may go at a time; ten seconds to be replaced, one to stop.
	w := walk{nodes: []NodeState{{Name: "w1"}}, limit: 1, purses: []int{1}}
	for range 10 {
		w.pods = append(w.pods, leaver{gate: gateSpend, purse: 0, controller: -1, returns: true, ready: true, gone: time.Second, back: 10 * time.Second})
	}
	if got := w.run().end; got != 91*time.Second {
		t.Errorf("the end is after %s", got)
	}
	w.purses[0] = 3
	if got := w.run().end; got != 31*time.Second {
		t.Errorf("with three at a time, the end is after %s", got)
	}
	for i := range w.pods {
		w.pods[i].returns = false
	}
	c := w.run()
	if kept := slices.DeleteFunc(c.steps, func(s step) bool { return s.left }); len(kept) != 7 || kept[0].kept != CauseBudget {
		t.Errorf("without replacements, %d are kept: %v", len(kept), kept)
	}
}
