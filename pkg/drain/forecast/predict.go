// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/pdb"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// Predict says how a drain would go: in which waves the pods leave, what keeps
// some for good and what would let them go, how long it takes, and what is lost.
// command is how one would begin it ("kubectl lifecycle drain w1 --force"), for
// the remedies. What the API server answers is worked out by its own rules, and
// budgets are charged over all nodes together.
//
// Of what is not known the worse is taken: no pod that is not Ready now is
// counted on to become so, nor its successor.
func Predict(s Input, o drain.Options, command string) Forecast {
	v := newView(s, o, command)
	f := Forecast{Taken: s.Taken, Notes: s.Notes, Command: command, decision: v.decision, Waves: []Wave{}}
	f.Admission = s.Admission.Warnings(v.decision)
	course := v.walk(v.lockstep).run()
	v.fill(&f, course)
	for _, n := range f.Nodes {
		if n.Silent && n.Leave > 0 && o.SkipWaitForDeleteTimeoutSeconds <= 0 {
			f.Unconfirmed = append(f.Unconfirmed, n.Name)
		}
	}
	f.Estimate = v.estimate(&f)
	f.Surges = v.surges()
	f.Blockers = v.blockers(course)
	f.Losses = v.losses(course)
	for _, verdict := range v.going {
		if reasons := v.unschedulable[verdict.UID]; len(reasons) > 0 {
			f.Unschedulable = append(f.Unschedulable, Unschedulable{Pod: verdict.Pod, Node: verdict.Node, Owners: verdict.Owners, Reasons: reasons})
		}
	}
	return f
}

// view is the input with what is worked out from it.
type view struct {
	Input
	opts     drain.Options
	command  string
	decision drain.Decision
	// going are the pods that have to leave, in the order of the decision, with
	// the pods themselves, the budgets that match them and the server's answer.
	going []drain.Verdict
	pods  []*corev1.Pod
	match [][]*policyv1.PodDisruptionBudget
	gates []pdb.Gate
	// answers are the server's at the moment of the reading, before a surge.
	answers []pdb.Gate
	// freed are the pods that a surge lets go.
	freed []bool
	// account is the number of a budget.
	account map[types.UID]int
	// unschedulable are the pods whose successors find no node, and why.
	unschedulable map[types.UID][]string
}

func newView(s Input, o drain.Options, command string) *view {
	v := &view{Input: s, opts: o, command: command, decision: drain.Decide(s.Snapshot, o), account: map[types.UID]int{}}
	byUID := make(map[types.UID]*corev1.Pod, len(s.Pods))
	for i := range s.Pods {
		byUID[s.Pods[i].UID] = &s.Pods[i]
	}
	v.going = v.decision.ToEvict()
	budgets := pdb.NewGuards(kube.Pointers(s.Budgets))
	var moving []*corev1.Pod
	for _, verdict := range v.going {
		pod := byUID[verdict.UID]
		answer, match := pdb.Free, []*policyv1.PodDisruptionBudget(nil)
		if verdict.Action == drain.ActionEvict {
			match = budgets.Of(pod)
			answer = pdb.GateOf(pod, match)
		}
		for _, budget := range match {
			if _, known := v.account[budget.UID]; !known {
				v.account[budget.UID] = len(v.account)
			}
		}
		v.pods, v.match, v.gates = append(v.pods, pod), append(v.match, match), append(v.gates, answer)
		if replaced(verdict, pod) {
			moving = append(moving, pod)
		}
	}
	v.answers, v.freed = slices.Clone(v.gates), make([]bool, len(v.going))
	if s.room != nil {
		for _, pod := range v.extras() {
			s.room.Add(pod)
			moving = append(moving, pod)
		}
		v.unschedulable = s.room.Unschedulable(moving, v.decision.Names())
	}
	v.surge()
	return v
}

// replaced reports whether something recreates the pod.
func replaced(v drain.Verdict, pod *corev1.Pod) bool {
	return len(v.Owners) > 0 && !kube.Finished(pod) && !v.Has(drain.ReasonDaemonSetMissing) && v.Action != drain.ActionWait
}

// timing is how long a pod takes to be gone, and its successor to be Ready.
type timing func(i int) (gone, back time.Duration)

// lockstep is a time in which everything takes one wave.
func (v *view) lockstep(int) (gone, back time.Duration) { return 1, 1 }

// walk puts the pods on paper.
func (v *view) walk(times timing) walk {
	w := walk{nodes: v.decision.Nodes, byZone: v.opts.OneZone, allowed: make([]int, len(v.account)), oneByOne: v.opts.WaitForReplacement}
	w.limit, _ = v.opts.Parallel(len(w.nodes)) // Read has validated it
	nodes, controllers := map[string]int{}, map[types.UID]int{}
	for i, n := range w.nodes {
		nodes[n.Name] = i
	}
	for i, verdict := range v.going {
		p := walkPod{
			node: nodes[verdict.Node], stage: verdict.Stage, gate: v.gates[i], account: -1, controller: -1,
			leaving: verdict.Action == drain.ActionWait, ready: kube.PodReady(v.pods[i]),
			// A pod that is not Ready is not missed when it is gone.
			returns: replaced(verdict, v.pods[i]) && len(v.unschedulable[verdict.UID]) == 0 || !kube.PodReady(v.pods[i]),
		}
		p.gone, p.back = times(i)
		if len(v.match[i]) == 1 {
			budget := v.match[i][0]
			p.account = v.account[budget.UID]
			w.allowed[p.account] = max(int(budget.Status.DisruptionsAllowed), 0)
		}
		if w.oneByOne && len(verdict.Owners) > 0 && slices.Contains([]string{"ReplicaSet", "StatefulSet"}, verdict.Owners[0].Kind) {
			uid := verdict.Owners[0].UID
			if _, known := controllers[uid]; !known {
				controllers[uid] = len(controllers)
			}
			p.controller = controllers[uid]
		}
		w.pods = append(w.pods, p)
	}
	return w
}

// fill sets what the forecast says of nodes, pods and waves.
func (v *view) fill(f *Forecast, c course) {
	at := make(map[types.UID]int, len(v.going))
	for i, verdict := range v.going {
		at[verdict.UID] = i
	}
	nodes := map[string]*NodeForecast{}
	f.Nodes = make([]NodeForecast, len(v.decision.Nodes))
	for i, n := range v.decision.Nodes {
		f.Nodes[i].NodeState = n
		nodes[n.Name] = &f.Nodes[i]
	}
	for _, verdict := range v.decision.Verdicts {
		p := PodForecast{Verdict: verdict}
		i, goes := at[verdict.UID]
		switch {
		case !goes:
			nodes[verdict.Node].Stay++
			f.Pods = append(f.Pods, p)
			continue
		case verdict.Action == drain.ActionEvict:
			p.Answer = [...]Answer{pdb.Free: AnswerFree, pdb.Spend: AnswerSpend, pdb.Closed: AnswerClosed, pdb.Several: AnswerSeveral}[v.answers[i]]
		}
		nodes[verdict.Node].Leave++
		if p.Kept = c.steps[i].kept; !c.steps[i].left {
			nodes[verdict.Node].Kept++
		} else {
			p.Wave = int(c.steps[i].at) + 1
			v.join(f, p, i)
		}
		f.Pods = append(f.Pods, p)
	}
	f.Waves = slices.DeleteFunc(f.Waves, func(w Wave) bool { return len(w.Pods) == 0 })
}

// join puts a pod into its wave.
func (v *view) join(f *Forecast, p PodForecast, i int) {
	for len(f.Waves) < p.Wave {
		f.Waves = append(f.Waves, Wave{Number: len(f.Waves) + 1})
	}
	w := &f.Waves[p.Wave-1]
	w.Pods = append(w.Pods, p.Pod)
	if v.gates[i] != pdb.Spend || v.asksNoBudget(i) {
		return
	}
	name := v.match[i][0].Namespace + "/" + v.match[i][0].Name
	if at := slices.IndexFunc(w.Spent, func(s Spent) bool { return s.Budget == name }); at >= 0 {
		w.Spent[at].Pods++
		return
	}
	w.Spent = append(w.Spent, Spent{Budget: name, Pods: 1})
}

// top is the workload at the end of a chain of owners.
func (v *view) top(owners drain.Owners) (Workload, bool) {
	if len(owners) == 0 {
		return Workload{}, false
	}
	w, known := v.Workloads[owners[len(owners)-1].UID]
	return w, known
}
