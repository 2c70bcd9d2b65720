// SPDX-License-Identifier: Apache-2.0

package nodes

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/cmd/kubectl-lifecycle/env"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// drainBed is a fake cluster of one node, and what a command wrote about it.
type drainBed struct {
	*fake.Clientset
	out, errOut *bytes.Buffer
	// refuse are the pods that a budget keeps.
	refuse map[string]bool
}

func newDrainBed(objects ...runtime.Object) *drainBed {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1", UID: "uid-w1"}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	b := &drainBed{Clientset: fake.NewClientset(append(objects, node)...), refuse: map[string]bool{}}
	b.PrependReactor("create", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		eviction := action.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		if b.refuse[eviction.Name] {
			return true, nil, apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
		}
		if len(eviction.DeleteOptions.DryRun) == 0 {
			go func() {
				time.Sleep(time.Second)
				_ = b.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), eviction.Namespace, eviction.Name)
			}()
		}
		return true, nil, nil
	})
	return b
}

// run runs one command on the bed and returns its error.
func (b *drainBed) run(t *testing.T, command func(commands) *cobra.Command, args ...string) error {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	b.out, b.errOut = out, errOut
	e := env.New(streams, "dev")
	e.Client = func() (kubernetes.Interface, error) { return b.Clientset, nil }
	cmd := command(commands{e})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	return cmd.ExecuteContext(t.Context())
}

// changes are the writes that were no dry run.
func (b *drainBed) changes() []string {
	var out []string
	for _, action := range b.Actions() {
		dry := false
		switch action := action.(type) {
		case clienttesting.PatchActionImpl:
			dry = len(action.PatchOptions.DryRun) > 0
		case clienttesting.CreateActionImpl:
			dry = len(action.Object.(*policyv1.Eviction).DeleteOptions.DryRun) > 0
		}
		if verb := action.GetVerb(); !dry && verb != "get" && verb != "list" && verb != "watch" {
			out = append(out, strings.TrimSuffix(verb+" "+action.GetResource().Resource+"/"+action.GetSubresource(), "/"))
		}
	}
	return out
}

func drainPod(name, ownerKind string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.PodSpec{NodeName: "w1"},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	pod.UID = types.UID("uid-" + name)
	if ownerKind != "" {
		yes := true
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: ownerKind, Name: "web", UID: "uid-web", Controller: &yes}}
	}
	return pod
}

func TestDrainCordonsEvictsAndHasNothingToDoAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDrainBed(drainPod("a", "ReplicaSet"))
		if err := b.run(t, newDrainCommand, "node/w1"); err != nil {
			t.Fatal(err)
		}
		if b.out.String() != "node/w1 drained\n" || !strings.Contains(b.errOut.String(), "shop/a evicted (1 of 1)") {
			t.Errorf("stdout %q, stderr %q", b.out, b.errOut)
		}
		if got := strings.Join(b.changes(), ", "); got != "patch nodes, patch nodes/status, create pods/eviction, patch nodes/status" {
			t.Errorf("changes: %s", got)
		}
		b.ClearActions()
		if err := b.run(t, newDrainCommand, "w1"); err != nil || b.out.String() != "node/w1 drained (nothing to do)\n" || len(b.changes()) != 0 {
			t.Errorf("again: %v, stdout %q, changes %v", err, b.out, b.changes())
		}
	})
}

func TestDrainSpeaksToMachines(t *testing.T) {
	for format, want := range map[string]string{
		"json": `"name": "a"`, "yaml": "cordoned:\n- w1", "name": "node/w1\n", "jsonpath={.evicted[0].name} {.requests}": "a " +
			"1\n", "table": "node/w1 drained\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newDrainBed(drainPod("a", "ReplicaSet"))
			if err := b.run(t, newDrainCommand, "w1", "-o", format); err != nil || !strings.Contains(b.out.String(), want) {
				t.Errorf("-o %s: %v, stdout %q", format, err, b.out)
			}
			if format == "json" && !json.Valid(b.out.Bytes()) {
				t.Errorf("no JSON: %s", b.out)
			}
		})
	}
}

func TestARefusedDrainChangesNothing(t *testing.T) {
	b := newDrainBed(drainPod("a", "ReplicaSet"), drainPod("naked", ""))
	err := b.run(t, newDrainCommand, "w1")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "shop/naked") ||
		plan.HintOf(err) != "if that is meant, add --force" {
		t.Errorf("got %v, class %d, hint %q", err, plan.ClassOf(err), plan.HintOf(err))
	}
	if len(b.changes()) != 0 || b.out.Len() != 0 {
		t.Errorf("changes %v, stdout %q", b.changes(), b.out)
	}
}

func TestACordonThatIsRefusedStopsTheDrain(t *testing.T) {
	b := newDrainBed(drainPod("a", "ReplicaSet"))
	b.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "w1", nil)
	})
	err := b.run(t, newDrainCommand, "w1")
	if plan.ClassOf(err) != plan.Refused || strings.Contains(strings.Join(b.changes(), " "), "create") {
		t.Errorf("got %v, class %d, changes %v", err, plan.ClassOf(err), b.changes())
	}
}

func TestATimeoutSaysThatTheNodeStaysCordoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDrainBed(drainPod("a", "ReplicaSet"))
		b.refuse["a"] = true
		err := b.run(t, newDrainCommand, "w1", "--timeout", "1m", "-o", "json")
		if plan.ClassOf(err) != plan.TimedOut || !strings.Contains(plan.HintOf(err), "kubectl lifecycle uncordon w1") {
			t.Errorf("got %v, class %d, hint %q", err, plan.ClassOf(err), plan.HintOf(err))
		}
		if !strings.Contains(b.out.String(), `"cause": "Budget"`) {
			t.Errorf("stdout %s", b.out)
		}
	})
}

func TestDryRunsShowAndChangeNothing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		args  []string
		class plan.Class
		want  []string
	}{
		{"client shows the table", []string{"--dry-run"}, 0, []string{"ACTION", "evict", "shop/a", "ReplicaSet/web",
			"node w1 would be drained of 2 pods (dry run: nothing was changed)"}},
		{"server shows the answers", []string{"--dry-run=server"}, plan.Found, []string{"SERVER", "allowed", "Cannot evict pod"}},
		{"client shows names", []string{"--dry-run=client", "-o", "name"}, 0, []string{"pod/a\npod/b\n"}},
		{"client shows JSON", []string{"--dry-run=client", "-o", "json"}, 0, []string{`"action": "evict"`, `"reason": "Managed"`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newDrainBed(drainPod("a", "ReplicaSet"), drainPod("b", "StatefulSet"))
			b.refuse["b"] = true
			err := b.run(t, newDrainCommand, append(tc.args, "w1")...)
			if plan.ClassOf(err) != tc.class || len(b.changes()) != 0 {
				t.Errorf("got %v of class %d, changes %v", err, plan.ClassOf(err), b.changes())
			}
			for _, want := range tc.want {
				if !strings.Contains(b.out.String(), want) {
					t.Errorf("%q is not in %q", want, b.out)
				}
			}
		})
	}
}

func TestADryRunOfABlockedDrainShowsWhyAndIsRefused(t *testing.T) {
	b := newDrainBed(drainPod("naked", ""))
	err := b.run(t, newDrainCommand, "w1", "--dry-run=server")
	if plan.ClassOf(err) != plan.Refused || !strings.Contains(b.out.String(), "declares no controller (--force overrides)") {
		t.Errorf("got %v of class %d, stdout %q", err, plan.ClassOf(err), b.out)
	}
}

func TestCordonAndUncordon(t *testing.T) {
	b := newDrainBed()
	for _, step := range []struct {
		command func(commands) *cobra.Command
		args    []string
		want    string
		changes int
	}{
		{newCordonCommand, []string{"w1", "--dry-run"}, "node/w1 cordoned (dry run)\n", 0},
		{newCordonCommand, []string{"w1", "--dry-run=server"}, "node/w1 cordoned (dry run)\n", 0},
		{newUncordonCommand, []string{"node/w1"}, "node/w1 already uncordoned\n", 0},
		{newCordonCommand, []string{"w1", "-o", "jsonpath={.changed}"}, "true\n", 1},
		{newCordonCommand, []string{"no/w1"}, "node/w1 already cordoned\n", 0},
		{newUncordonCommand, []string{"w1", "-o", "name"}, "node/w1\n", 1},
	} {
		// The fake client carries out dry runs, so the node is put back.
		node, err := b.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b.ClearActions()
		if err := b.run(t, step.command, step.args...); err != nil || b.out.String() != step.want || len(b.changes()) != step.changes {
			t.Errorf("%v: %v, stdout %q, changes %v", step.args, err, b.out, b.changes())
		}
		if step.changes == 0 {
			if _, err := b.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAnUncordonNamesTheRunThatGoesOn(t *testing.T) {
	for phase, named := range map[wire.Phase]bool{wire.Preparing: true, wire.Ready: true, wire.Waiting: true, wire.Finished: false,
		wire.Aborted: false} {
		b := newDrainBed()
		record := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "lifecycle-w1",
			Labels: map[string]string{runner.Label: string(wire.Remove)}},
			Data: map[string][]byte{wire.KeyOperation: []byte(wire.Remove), wire.KeyNode: []byte("w1"), wire.KeyPhase: []byte(phase)}}
		if _, err := b.CoreV1().Secrets("kube-system").Create(t.Context(), record, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for node, expected := range map[string]bool{"w1": named, "w2": false} {
			if err := b.run(t, newUncordonCommand, node); err != nil && node == "w1" {
				t.Fatal(err)
			}
			if got := strings.Contains(b.errOut.String(), "kubectl lifecycle runs abort w1"); got != expected {
				t.Errorf("%s, uncordon of %s: named %v\n%s", phase, node, got, b.errOut.String())
			}
		}
	}
}

func TestDrainArgumentsThatAreWrong(t *testing.T) {
	for _, args := range [][]string{{}, {"pod/a"}, {"node/"}, {"w1", "-o", "xml"}, {"w1", "--dry-run=perhaps"}, {"w1", "--timeout=-1s"},
		{"w1", "--pod-selector=a in b"}} {
		b := newDrainBed()
		if err := b.run(t, newDrainCommand, args...); plan.ClassOf(err) != plan.Misused {
			t.Errorf("%v: got %v of class %d", args, err, plan.ClassOf(err))
		}
	}
}

func TestAnUnknownNodeIsRefused(t *testing.T) {
	b := newDrainBed()
	for _, command := range []func(commands) *cobra.Command{newDrainCommand, newCordonCommand, newUncordonCommand} {
		if err := b.run(t, command, "w9"); plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), `node "w9" not found`) {
			t.Errorf("got %v of class %d", err, plan.ClassOf(err))
		}
	}
}
