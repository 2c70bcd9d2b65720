// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/podcarrier"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// node is one that is Ready, in a zone.
func node(name, zone string, change ...func(*corev1.Node)) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelTopologyZone: zone}}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, c := range change {
		c(&n)
	}
	return n
}

func TestWhichNodesAreProbed(t *testing.T) {
	notReady := func(n *corev1.Node) { n.Status.Conditions = nil }
	windows := func(n *corev1.Node) { n.Labels[corev1.LabelOSStable] = "windows" }
	leaving := func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} }
	all := []corev1.Node{node("d", "z1"), node("c", "z1"), node("b", "z2"), node("a", "z1"), node("e", "z1", notReady),
		node("f", "z1", windows),
		node("g", "z1", leaving)}
	for name, c := range map[string]struct {
		named []string
		most  int
		want  string
	}{
		"one of each zone first":           {nil, 3, "a b c"},
		"no more than there are":           {nil, 9, "a b c d"},
		"one":                              {nil, 1, "a"},
		"those that are named":             {[]string{"d", "b"}, 1, "b d"},
		"one that is not Ready is left":    {[]string{"b", "e"}, 1, "b"},
		"one of Windows is refused":        {[]string{"f"}, 1, ""},
		"one that is leaving is left":      {[]string{"b", "g"}, 1, "b"},
		"one that is not there is refused": {[]string{"x"}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, _, err := choose(all, c.named, c.most)
			var names []string
			for _, n := range chosen {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, _, err := choose(nil, nil, 3); plan.ClassOf(err) != plan.Refused {
		t.Errorf("no node: %v", err)
	}
}

func TestANodeThatLacksItsNetworkIsNamed(t *testing.T) {
	with := func(status corev1.ConditionStatus, message string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Message: message}}
		}
	}
	all := []corev1.Node{node("a", "z"),
		node("b", "z", with(corev1.ConditionFalse, "container runtime network not ready: cni plugin not initialized")),
		node("c", "z", with(corev1.ConditionUnknown, "")), node("d", "z", with(corev1.ConditionFalse, "disk is full"))}
	_, skipped, err := choose(all, nil, 3)
	want := []Skipped{{"b", "it is not Ready: container runtime network not ready: cni plugin not initialized", true},
		{"c", "its kubelet does not answer", false}, {"d", "it is not Ready: disk is full", false}}
	if err != nil || !slices.Equal(skipped, want) {
		t.Errorf("%v, %+v", err, skipped)
	}
}

func TestEveryNodeSendsAndTheWaysGrowWithTheNodes(t *testing.T) {
	for n, most := range map[int]int{1: 0, 2: 2, 3: 6, fewNodes: fewNodes * (fewNodes - 1), 7: 4 * 7, MostNodes: 4 * MostNodes} {
		pairs := between(n)
		sends, seen := map[int]int{}, map[[2]int]bool{}
		for _, p := range pairs {
			if p[0] == p[1] || seen[p] || p[0] >= n || p[1] >= n {
				t.Errorf("%d nodes: pair %v", n, p)
			}
			seen[p] = true
			sends[p[0]]++
		}
		if len(pairs) != most || n > 1 && len(sends) != n {
			t.Errorf("%d nodes: %d pairs from %d nodes, want %d", n, len(pairs), len(sends), most)
		}
	}
}

func TestOnlyPodsOfProbesThatHaveEndedAreSwept(t *testing.T) {
	pod := func(name, label string, phase corev1.PodPhase) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system", Labels: map[string]string{runner.Label: label,
			podcarrier.ProbeLabel: "id"}},
			Spec: corev1.PodSpec{NodeName: "w1"}, Status: corev1.PodStatus{Phase: phase}}
	}
	owned := pod(runner.ProbePod("w1", "id", false), "probe", corev1.PodSucceeded)
	owned.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Name: "x"}}
	elsewhere := pod(runner.ProbePod("w1", "id", false), "probe", corev1.PodSucceeded)
	elsewhere.Namespace = "default"
	got := ended([]corev1.Pod{pod(runner.ProbePod("w1", "id", false), "probe", corev1.PodSucceeded),
		pod(runner.ProbePod("w1", "id", true), "probe", corev1.PodRunning), pod("web", "probe", corev1.PodFailed),
		pod(runner.ProbePod("w1", "id", false), "remove", corev1.PodFailed), owned,
		elsewhere}, "")
	if len(got) != 1 || got[0].Name != runner.ProbePod("w1", "id", false) || got[0].Status.Phase != corev1.PodSucceeded {
		t.Errorf("%d pods would be deleted: %+v", len(got), got)
	}
}

func TestALineSaysWhatWasTried(t *testing.T) {
	good, bad := try{way: "a → b", took: 2 * time.Millisecond}, try{way: "b → a", why: "i/o timeout"}
	for name, c := range map[string]struct {
		name    string
		tries   []try
		outcome Outcome
		detail  string
		finding string
	}{
		"all arrive": {Across, []try{good, good}, Works, "2 of 2, 2ms at most", ""},
		"a stream hangs": {Across, []try{{way: "a → b", why: wire.ProbeCut + "9 of 10"}}, Fails,
			"1 of 1 fail: a → b: it connects, and 9 of 10", "CNI016"},
		"one hangs, one fails": {Across, []try{{way: "a → b", why: wire.ProbeCut + "9"}, bad}, Fails,
			"2 of 2 fail: a → b: it connects, and 9; and 1 more", "CNI015"},
		"one does not":       {Across, []try{good, bad}, Fails, "1 of 2 fail: b → a: i/o timeout", "CNI015"},
		"none does":          {Sized, []try{bad, bad}, Fails, "2 of 2 fail: b → a: i/o timeout; and 1 more", "CNI016"},
		"nothing was tried":  {SameNode, nil, NotTried, "there is one node", ""},
		"words are filtered": {Names, []try{{way: "a", why: "x\x1b[2J\ny"}}, Fails, "1 of 1 fail: a: x[2J y", "CNI029"},
	} {
		t.Run(name, func(t *testing.T) {
			got := lineOf(c.name, c.tries, "there is one node")
			if got.Outcome != c.outcome || got.Detail != c.detail || got.Finding != c.finding {
				t.Errorf("got %+v", got)
			}
		})
	}
	if (Result{Lines: []Line{{Outcome: Works}, {Outcome: NotTried}}}).Works() == false || (Result{Lines: []Line{{Outcome: Fails}}}).Works() {
		t.Error("a result works if nothing fails")
	}
}
