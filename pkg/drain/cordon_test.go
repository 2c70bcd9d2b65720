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

// A note is about the cordon that it came with: kubectl knows nothing of it.
func TestANoteOfAnEarlierCordonIsNone(t *testing.T) {
	entry := func(manager, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const noted, cordoned = `"f:metadata":{"f:annotations":{"f:lifecycle.kubectl.io/cordon":{}}}`, `"f:spec":{"f:unschedulable":{}}`
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		want   bool
	}{
		"the server notes nothing": {nil, true},
		"both are of one hand": {[]metav1.ManagedFieldsEntry{entry("kubectl-lifecycle",
			"{"+noted+","+cordoned+"}")}, true},
		"kubectl has uncordoned it and cordoned it": {[]metav1.ManagedFieldsEntry{entry("kubectl-lifecycle", "{"+noted+"}"),
			entry("kubectl-cordon", "{"+cordoned+"}")}, false},
		"kubectl has uncordoned it":                  {[]metav1.ManagedFieldsEntry{entry("kubectl-lifecycle", "{"+noted+"}")}, true},
		"an entry that cannot be read tells nothing": {[]metav1.ManagedFieldsEntry{entry("x", "{"), {Manager: "y"}}, true},
		"others' annotations are no note": {[]metav1.ManagedFieldsEntry{entry("kured",
			`{"f:metadata":{"f:annotations":{"f:weave.works/x":{}}},`+cordoned+"}")}, false},
		"what kubelet notes of its own does not count": {[]metav1.ManagedFieldsEntry{entry("kubelet", `{"f:status":{}}`),
			entry("z", "{"+noted+","+cordoned+"}")}, true},
	} {
		node := kubetest.Node("n0")
		node.Spec.Unschedulable = true
		node.Annotations = map[string]string{NoteAnnotation: `{"by":"ann","drain":true}`}
		node.ManagedFields = tc.fields
		if _, got := NoteOf(node); got != tc.want {
			t.Errorf("%s: got %t", name, got)
		}
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

// A cordon that a person means outlasts the drain for whose time the node is cordoned.
func TestACordonThatIsMeantReplacesTheNoteOfADrain(t *testing.T) {
	for name, c := range map[string]struct {
		note    string
		by      Note
		changed bool
		want    string
	}{
		"a person's over a drain's":  {`{"by":"ann","drain":true}`, Note{By: "bob", Reason: "disk"}, true, "bob"},
		"a person's over a person's": {`{"by":"ann"}`, Note{By: "bob"}, false, "ann"},
		"a drain's over a drain's":   {`{"by":"ann","drain":true}`, Note{By: "bob", Drain: true}, false, "ann"},
		"a drain's over a person's":  {`{"by":"ann"}`, Note{By: "bob", Drain: true}, false, "ann"},
	} {
		node := kubetest.Node("n0")
		node.Spec.Unschedulable, node.Annotations = true, map[string]string{NoteAnnotation: c.note}
		client := fake.NewClientset(node)
		changed, err := Scheduling{Unschedulable: true, Note: c.by}.Apply(t.Context(), client, node.Name)
		if err != nil || changed != c.changed {
			t.Errorf("%s: changed %t, %v", name, changed, err)
		}
		now, err := client.CoreV1().Nodes().Get(t.Context(), node.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if note, _ := NoteOf(now); note.By != c.want || !now.Spec.Unschedulable {
			t.Errorf("%s: the note is %+v", name, note)
		}
	}
}
