// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain/surge"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
)

func labelled(name, owner string, labels map[string]string) corev1.Pod {
	pod := podWith(name, owner)
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
		labelled("manager", "InstanceManager", map[string]string{"longhorn.io/component": "instance-manager"}), labelled("agent", "DaemonSet", map[string]string{"app": "rook-ceph-osd"}), over, static,
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
	client := permissive(t, nil, worker(), kubeadmConfig(), &osd)
	if _, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", RemoveOptions{Drain: options}); plan.ClassOf(err) != plan.Refused {
		t.Errorf("without a selector: %v", err)
	}
	options.PodSelector = "app!=osd"
	r, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", RemoveOptions{Drain: options})
	if err != nil || !slices.Equal(r.Excluded, []string{"shop/osd"}) {
		t.Errorf("excluded %v, %v", r.Excluded, err)
	}
}

func TestASurgeIsRefusedWithoutTheRightToIt(t *testing.T) {
	for mode, refused := range map[surge.Mode]bool{"": false, surge.Off: false, surge.Auto: true, surge.Restart: true} {
		client := permissive(t, []string{"patch deployments"}, worker(), kubeadmConfig())
		_, err := PrepareRemove(t.Context(), runner.Cluster{Client: client}, "w1", RemoveOptions{Drain: drain.DefaultOptions(), Surge: mode})
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
				objects := []runtime.Object{worker()}
				if tc.fails {
					pod := labelled("nobodys", "", nil)
					objects = append(objects, &pod)
				}
				client := permissive(t, nil, objects...)
				if tc.forbidden {
					client.PrependReactor("patch", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
						if a.GetSubresource() != "status" {
							return false, nil, nil
						}
						return true, nil, errors.New("no")
					})
				}
				said := 0
				r := &Removal{Node: worker(), cluster: runner.Cluster{Client: client}, opts: RemoveOptions{Drain: drain.DefaultOptions()}}
				err := r.drainAll(t.Context(), []string{"w1"}, func(string, ...any) { said++ })
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
	client := permissive(t, nil, worker())
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
		client := heeding(t, kubeadmConfig(), finishedRecord("a"), finishedRecord("b"), boundPod("x", "a"), boundPod("y", "b", "example.com/hold"))
		m, err := PrepareMany(t.Context(), runner.Cluster{Client: client}, []string{"a", "b", "c"}, RemoveOptions{Drain: drain.DefaultOptions()})
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
