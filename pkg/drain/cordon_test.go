// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestCordonIsOfAllNodesOrOfNone(t *testing.T) {
	client := fake.NewClientset(kubetest.Node("n0"), kubetest.Node("n1"), kubetest.Cordoned(kubetest.Node("n2")), kubetest.Node("n3"))
	client.PrependReactor("patch", "nodes", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if action.(clienttesting.PatchAction).GetName() == "n3" {
			return true, nil, kubetest.NoRight("patch", "nodes")
		}
		return false, nil, nil
	})
	snapshot, err := Survey(t.Context(), client, Target{Names: []string{"n0", "n1", "n2", "n3", "n0"}}, DefaultOptions())
	if err != nil || len(snapshot.Nodes) != 4 {
		t.Fatalf("%d nodes, %v", len(snapshot.Nodes), err)
	}
	done, err := Cordon(t.Context(), client, Decide(snapshot, DefaultOptions()), Note{By: "ann"})
	if len(done) != 0 || plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), `cordon node "n3"`) {
		t.Errorf("cordoned %v, error %v", done, err)
	}
	for name, want := range map[string]bool{"n0": false, "n1": false, "n2": true, "n3": false} {
		node, err := client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || node.Spec.Unschedulable != want || node.Annotations[NoteAnnotation] != "" {
			t.Errorf("%s: unschedulable %v with note %q, %v", name, node.Spec.Unschedulable, node.Annotations[NoteAnnotation], err)
		}
	}
}

func TestACordonLeavesANote(t *testing.T) {
	client := fake.NewClientset(kubetest.Node("n0"), kubetest.Node("n1"))
	snapshot, err := Survey(t.Context(), client, Target{Names: []string{"n1", "n0"}}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	note := Note{By: "ann@laptop", At: now, Reason: "new disks"}
	if done, err := Cordon(t.Context(), client, Decide(snapshot, DefaultOptions()), note); err != nil || strings.Join(done, " ") != "n1 n0" {
		t.Fatalf("cordoned %v, %v", done, err)
	}
	again, err := Survey(t.Context(), client, Target{Names: []string{"n0"}}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := Decide(again, DefaultOptions())
	if d.Nodes[0].Note == nil || d.Nodes[0].Note.String() != "by ann@laptop at 2026-09-01T12:00:00Z: new disks" || len(d.ToCordon()) != 0 {
		t.Errorf("got %+v", d.Nodes[0])
	}
}

func TestTargetsAndOptionsThatAreWrong(t *testing.T) {
	for name, target := range map[string]Target{
		"neither": {}, "both": {Names: []string{"a"}, Selector: "b=c"}, "no selector": {Selector: "a in b"},
	} {
		if err := target.Validate(); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Options){
		"none at a time":     func(o *Options) { o.MaxParallel = "0" },
		"too much":           func(o *Options) { o.MaxParallel = "101%" },
		"words":              func(o *Options) { o.MaxParallel = "all" },
		"an empty order":     func(o *Options) { o.Order = []string{""} },
		"a bad order":        func(o *Options) { o.Order = []string{"a in b"} },
		"a negative timeout": func(o *Options) { o.PodTimeout = -1 },
	} {
		o := DefaultOptions()
		change(&o)
		if err := o.Validate(); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
