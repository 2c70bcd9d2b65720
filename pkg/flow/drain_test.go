// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/evict"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

func labelled(name, owner string, labels map[string]string) corev1.Pod {
	pod := flowtest.Pod(name, owner)
	pod.Labels, pod.Spec.NodeName = labels, "w1"
	return pod
}

func TestPodsThatASelectorLeavesOutAreThoseThatWouldHaveLeft(t *testing.T) {
	over := labelled("over", "Job", nil)
	over.Status.Phase = corev1.PodSucceeded
	static := labelled("static", "", nil)
	static.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	pods := []corev1.Pod{
		labelled("web", "ReplicaSet", map[string]string{"app": "web"}), labelled("osd", "ReplicaSet", map[string]string{"app": "rook-ceph-osd"}),
		labelled("manager", "InstanceManager", map[string]string{"longhorn.io/component": "instance-manager"}), labelled("agent", "DaemonSet",
			map[string]string{"app": "rook-ceph-osd"}), over, static,
	}
	for selector, want := range map[string]string{
		"app!=rook-ceph-osd": "osd",
		"app!=rook-ceph-osd,longhorn.io/component!=instance-manager": "osd manager",
		"app=web": "osd manager",
		"app":     "manager",
	} {
		got, err := excludedBy(selector, pods)
		var names []string
		for _, pod := range got {
			names = append(names, pod.Name)
		}
		if err != nil || strings.Join(names, " ") != want {
			t.Errorf("%s: %v, want %s; %v", selector, names, want, err)
		}
	}
	if _, err := excludedBy("app in (", pods); err == nil {
		t.Error("a selector that is none is taken")
	}
}

// What is left out needs no consent, and the plan says what becomes of it.
func TestAPodThatIsLeftOutIsNamedAndKeepsNothing(t *testing.T) {
	osd := labelled("osd", "", map[string]string{"app": "osd"}) // nobody's: it would need --force
	options := drain.DefaultOptions()
	options.IgnoreDaemonSets = true
	client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig(), &osd)
	if _, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: options}); plan.ClassOf(err) != plan.Refused {
		t.Errorf("without a selector: %v", err)
	}
	options.PodSelector = "app!=osd"
	r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: options})
	if err != nil || !slices.Equal(r.Excluded, []string{"shop/osd"}) {
		t.Errorf("excluded %v, %v", r.Excluded, err)
	}
}

func TestASurgeIsRefusedWithoutTheRightToIt(t *testing.T) {
	for mode, refused := range map[surge.Mode]bool{"": false, surge.Off: false, surge.Auto: true, surge.Restart: true} {
		client := flowtest.Permissive(t, []string{"patch deployments"}, flowtest.Worker(), flowtest.KubeadmConfig())
		_, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", Request{Drain: drain.DefaultOptions(), Surge: mode})
		if (plan.ClassOf(err) == plan.Refused) != refused {
			t.Errorf("%q: %v", mode, err)
		}
	}
}

// conditionsOf are the conditions of drains and maintenance that were applied, in
// their order.
func conditionsOf(actions []clienttesting.Action) (out []string) {
	for _, a := range actions {
		if p, ok := a.(clienttesting.PatchAction); ok && a.GetSubresource() == "status" {
			text := "cleared"
			for _, s := range []string{`"DrainInProgress"`, `"Drained"`, `"MaintenanceInProgress"`} {
				for _, part := range strings.Split(string(p.GetPatch()), "},{") {
					if strings.Contains(part, s) && strings.Contains(part, `"status":"True"`) {
						text = strings.Trim(s, `"`)
					}
				}
			}
			if text == "cleared" && strings.Contains(string(p.GetPatch()), "DrainStopped") {
				text = "stopped"
			}
			out = append(out, text)
		}
	}
	return out
}

func TestANodeSaysByItsConditionsWhatIsDoneToIt(t *testing.T) {
	for name, tc := range map[string]struct {
		fails, forbidden bool
		want             []string
	}{
		"a drain that ends well":        {want: []string{"DrainInProgress", "Drained"}},
		"a drain that is refused":       {fails: true, want: []string{"DrainInProgress", "stopped"}},
		"one that may not be told, too": {forbidden: true, want: []string{"DrainInProgress", "Drained"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				objects := []runtime.Object{flowtest.Worker()}
				if tc.fails {
					pod := labelled("nobodys", "", nil)
					objects = append(objects, &pod)
				}
				client := flowtest.Permissive(t, nil, objects...)
				if tc.forbidden {
					client.PrependReactor("patch", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
						if a.GetSubresource() != "status" {
							return false, nil, nil
						}
						return true, nil, errors.New("no")
					})
				}
				said := 0
				d := &Drain{Client: client, Nodes: []string{"w1"}, Options: drain.DefaultOptions()}
				err := d.evict(t.Context(), func(string, ...any) { said++ })
				if (err != nil) != tc.fails || tc.forbidden && said != 1 {
					t.Errorf("error %v, said %d lines", err, said)
				}
				if got := conditionsOf(client.Actions()); !slices.Equal(got, tc.want) {
					t.Errorf("conditions %v, want %v", got, tc.want)
				}
			})
		})
	}
}

func TestTheWayBackTakesBackWhatOtherToolsWereTold(t *testing.T) {
	client := flowtest.Permissive(t, nil, flowtest.Worker())
	if err := takeBackSigns(t.Context(), client, "w1", func(string, ...any) {}); err != nil {
		t.Error(err)
	}
	if got := conditionsOf(client.Actions()); !slices.Equal(got, []string{"cleared", "cleared"}) {
		t.Errorf("conditions %v", got)
	}
}

// Removals that were interrupted at the very end are finished by the command for many,
// and a look at what it would do finishes none.
func TestTheEndsOfInterruptedRemovalsAreMadeTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := flowtest.Finalizing(t, flowtest.KubeadmConfig(), flowtest.Record("a", wire.Remove, wire.Finished),
			flowtest.Record("b", wire.Remove, wire.Finished), flowtest.BoundPod("x", "a"), flowtest.BoundPod("y", "b", "example.com/hold"))
		m, err := PrepareBatch(t.Context(), runner.Cluster{Client: client}, []string{"a", "b", "c"}, Request{Drain: drain.DefaultOptions()})
		if err != nil || len(m.Unfinished()) != 2 || len(m.All()) != 0 {
			t.Fatalf("%+v, %v", m, err)
		}
		for _, a := range client.Actions() {
			if verb := a.GetVerb(); verb != "get" && verb != "list" && a.GetResource().Resource != "selfsubjectaccessreviews" {
				t.Errorf("looking, it did %s %s", verb, a.GetResource().Resource)
			}
		}
		got := ""
		for _, o := range m.Run(t.Context()) {
			got += fmt.Sprintf("%s %v %d; ", o.Node, o.Removed, len(o.Lingering))
		}
		if got != "a true 0; b true 1; " {
			t.Errorf("outcomes: %s", got)
		}
		records, _ := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
		if len(records.Items) != 1 || records.Items[0].Name != runner.NameFor("b") {
			t.Errorf("%d records are left", len(records.Items))
		}
	})
}

func TestTheWayBackFromACordonIsNeverCut(t *testing.T) {
	var names []string
	for i := range 500 {
		names = append(names, "node-with-a-rather-long-name-"+strings.Repeat("x", i%50))
	}
	for n, want := range map[int]string{1: "kubectl lifecycle uncordon " + names[0], 20: "uncordon " + strings.Join(names[:20], " "),
		21: "21 nodes; run the command again to continue, or abort it: the same command with --abort", 500: "--abort"} {
		d := Drain{Nodes: names[:n], Back: "the same command with --abort"}
		if got := plan.HintOf(d.stillCordoned(errors.New("timed out"))); !strings.Contains(got, want) || strings.Contains(got, "…") {
			t.Errorf("of %d nodes: %s", n, got)
		}
	}
	hostile := Drain{Nodes: []string{"w1; : > OWNED"}}
	if got := plan.HintOf(hostile.stillCordoned(errors.New("x"))); !strings.HasSuffix(got, "uncordon 'w1; : > OWNED'") {
		t.Errorf("a hostile name: %s", got)
	}
	if got := plan.HintOf((&Drain{Nodes: []string{"w1"}, GivenUp: true}).stillCordoned(errors.New("x"))); got != "" {
		t.Errorf("of a node that is given up: %s", got)
	}
}

func TestTheOutcomeOfTwoRoundsIsOne(t *testing.T) {
	pod := func(name string) drain.Pod { return drain.Pod{Namespace: "shop", Name: name} }
	first := evict.Outcome{
		Nodes:   []evict.NodeOutcome{{Name: "w1", Pods: 2, Drained: true, Seconds: 3}},
		Evicted: []drain.Pod{pod("b")}, Gone: []drain.Pod{pod("c")}, Arrived: []drain.Pod{pod("late")}, Requests: 2, Refusals: 1, Seconds: 3,
		Began: time.Unix(10, 0), Waits: []evict.Wait{{Budget: "shop/web", Seconds: 1, Waves: []float64{1}}},
	}
	second := evict.Outcome{
		Nodes:   []evict.NodeOutcome{{Name: "w1", Pods: 1, Drained: true, Seconds: 2}},
		Evicted: []drain.Pod{pod("a")}, Requests: 1, Seconds: 2, Began: time.Unix(20, 0),
		Waits: []evict.Wait{{Budget: "shop/db", Seconds: 5}, {Budget: "shop/web", Seconds: 2, Waves: []float64{2}}},
	}
	want := evict.Outcome{
		Nodes:   []evict.NodeOutcome{{Name: "w1", Pods: 3, Drained: true, Seconds: 5}},
		Evicted: []drain.Pod{pod("a"), pod("b")}, Gone: []drain.Pod{pod("c")}, Requests: 3, Refusals: 1, Seconds: 5,
		Began: time.Unix(10, 0), Waits: []evict.Wait{{Budget: "shop/db", Seconds: 5}, {Budget: "shop/web", Seconds: 3, Waves: []float64{1, 2}}},
	}
	if got := both(first, second); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := both(evict.Outcome{}, second); !reflect.DeepEqual(got, second) {
		t.Errorf("of one round: %+v", got)
	}
}

// The verb, a removal and a wave are drained by the same recipe: what is bound to the
// node after the survey is taken in by another round.
func TestPodsThatArriveAreTakenInByAnotherRound(t *testing.T) {
	for name, tc := range map[string]struct {
		arrives     int
		mustBeEmpty bool
		says        string
		left        int
	}{
		"none arrives":                           {mustBeEmpty: true},
		"one is bound during the drain":          {arrives: 1, mustBeEmpty: true},
		"they keep coming, and must not":         {arrives: 9, mustBeEmpty: true, says: "pods keep coming to w1 although it is cordoned"},
		"they keep coming, and are only told of": {arrives: 9, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := flowtest.Worker()
				node.Spec.Unschedulable = true
				client := flowtest.Permissive(t, nil, node)
				made := 0
				arrive := func() {
					pod := labelled(fmt.Sprintf("p%d", made), "ReplicaSet", nil)
					pod.UID, pod.Spec.NodeName = types.UID(pod.Name), "w1"
					pod.OwnerReferences[0].UID, pod.OwnerReferences[0].APIVersion = types.UID(pod.Name+"-set"), "apps/v1"
					made++
					_ = client.Tracker().Add(&pod)
				}
				arrive()
				client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
					if a.GetSubresource() != "eviction" {
						return false, nil, nil
					}
					name := a.(clienttesting.CreateAction).GetObject().(metav1.Object).GetName()
					go func() {
						if made <= tc.arrives {
							arrive()
						}
						_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", name)
					}()
					return true, nil, nil
				})
				d := &Drain{Client: client, Nodes: []string{"w1"}, Options: drain.DefaultOptions(), MustBeEmpty: tc.mustBeEmpty}
				err := d.evict(t.Context(), func(string, ...any) {})
				if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
					t.Fatalf("error %v", err)
				}
				if want := min(tc.arrives+1, drainRounds); len(d.Outcome.Evicted) != want || len(d.Outcome.Arrived) != min(tc.left+len(tc.says), 1) {
					t.Errorf("evicted %v, want %d; arrived %v", d.Outcome.Evicted, want, d.Outcome.Arrived)
				}
			})
		})
	}
}

// A cordon that a drain made is taken back by --abort; one that a person made is not:
// the note tells them apart.
func TestTheCordonOfADrainIsNotedAsOne(t *testing.T) {
	client := flowtest.Permissive(t, nil, flowtest.Worker(), flowtest.KubeadmConfig())
	d := &Drain{Client: client, Nodes: []string{"w1"}, Options: drain.DefaultOptions(), By: "ann@laptop"}
	if err := d.Decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.CordonStep().Do(t.Context(), func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	node, err := client.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if note := node.Annotations["lifecycle.kubectl.io/cordon"]; !node.Spec.Unschedulable || !strings.Contains(note, `"drain":true`) {
		t.Errorf("unschedulable %v, note %s", node.Spec.Unschedulable, note)
	}
}
