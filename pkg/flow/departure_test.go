// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/runner/wire"
)

// heeding is a client whose server keeps what has finalizers, as a real one does.
func heeding(t *testing.T, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	client := permissive(t, nil, objects...)
	client.PrependReactor("delete", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
		d := a.(clienttesting.DeleteAction)
		found, err := client.Tracker().Get(d.GetResource(), d.GetNamespace(), d.GetName())
		if err != nil {
			return true, nil, err
		}
		object, ok := found.(metav1.Object)
		if !ok || len(object.GetFinalizers()) == 0 {
			return false, nil, nil
		}
		now := metav1.Now()
		object.SetDeletionTimestamp(&now)
		return true, nil, client.Tracker().Update(d.GetResource(), found, d.GetNamespace())
	})
	return client
}

func managed(by, finalizer string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{
		{Manager: "kubelet", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{}}}`)},
		{Manager: "broken", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":7}`)},
		{Manager: "none"},
		{Manager: by, FieldsV1: metav1.NewFieldsV1(fmt.Sprintf(`{"f:metadata":{"f:finalizers":{".":{},"v:\"%s\"":{}}}}`, finalizer))},
	}
}

func TestANodeIsGoneOnlyOnceTheAPISaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		finalizers []string
		// frees is when the finalizer's controller takes it off; never if zero.
		frees, timeout, cancel time.Duration
		class                  plan.Class
		says                   string
	}{
		"without a finalizer it is gone at once":            {},
		"a finalizer that is taken off is waited for":       {finalizers: []string{"example.com/hold"}, frees: 90 * time.Second},
		"one that is not ends the wait after two minutes":   {finalizers: []string{"example.com/hold"}, class: plan.TimedOut, says: "it waits for finalizer example.com/hold"},
		"--timeout ends it earlier":                         {finalizers: []string{"example.com/hold"}, frees: time.Minute, timeout: 20 * time.Second, class: plan.TimedOut, says: "node/w1"},
		"--timeout lets it take longer, too":                {finalizers: []string{"example.com/hold"}, frees: 10 * time.Minute, timeout: time.Hour},
		"Ctrl-C ends it":                                    {finalizers: []string{"example.com/hold"}, cancel: time.Second, class: plan.Interrupted, says: "still there"},
		"several finalizers are named together":             {finalizers: []string{"a.example/x", "foregroundDeletion"}, class: plan.TimedOut, says: "finalizers a.example/x, foregroundDeletion"},
		"a finalizer's name cannot forge a line of output":  {finalizers: []string{"a\n\x1b[2J✓ removed"}, class: plan.TimedOut, says: "finalizer a [2J✓ removed"},
		"of very many finalizers the first five are enough": {finalizers: many("f", 40), class: plan.TimedOut, says: "f4, 35 more"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := worker()
				node.UID, node.Finalizers = "1", tc.finalizers
				client := heeding(t, node)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tc.timeout > 0 {
					ctx, cancel = context.WithTimeout(ctx, tc.timeout)
					defer cancel()
				}
				if tc.frees > 0 {
					time.AfterFunc(tc.frees, func() {
						_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("nodes"), "", "w1")
					})
				}
				if tc.cancel > 0 {
					time.AfterFunc(tc.cancel, cancel)
				}
				var said []string
				err := depart(ctx, client, node, finishesAtOnce, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
				if plan.ClassOf(err) != tc.class || tc.class != 0 && (!errors.Is(err, ErrStays) || !strings.Contains(err.Error(), tc.says)) {
					t.Errorf("class %d, error %v", plan.ClassOf(err), err)
				}
				if tc.class != 0 && (!strings.Contains(plan.HintOf(err), "--show-managed-fields") || !strings.Contains(plan.HintOf(err), "finishes at once")) {
					t.Errorf("hint %q", plan.HintOf(err))
				}
				if (len(said) > 0) != (len(tc.finalizers) > 0) || len(said) > 0 && !strings.Contains(said[0], "node/w1 is being deleted; waiting for finalizer") {
					t.Errorf("said %q", said)
				}
			})
		})
	}
}

func many(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// A Node of the same name that has joined since is another one: ours is gone.
func TestANodeThatJoinsAnewMeanwhileEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := worker()
		node.UID, node.Finalizers = "1", []string{"example.com/hold"}
		client := heeding(t, node)
		time.AfterFunc(time.Second, func() {
			gvr := corev1.SchemeGroupVersion.WithResource("nodes")
			_ = client.Tracker().Delete(gvr, "", "w1")
			again := worker()
			again.UID = "2"
			_ = client.Tracker().Create(gvr, again, "")
		})
		if err := depart(t.Context(), client, node, finishesAtOnce, func(string, ...any) {}); err != nil {
			t.Error(err)
		}
	})
}

func TestAFinalizerIsNamedBeforeAnythingBegins(t *testing.T) {
	node := worker()
	node.Finalizers, node.ManagedFields = []string{"example.com/hold"}, managed("rancher", "example.com/hold")
	r, err := PrepareRemove(t.Context(), runner.Cluster{Client: permissive(t, nil, node, kubeadmConfig())}, "w1", RemoveOptions{})
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "finalizer example.com/hold (set by rancher)") {
		t.Fatalf("warnings %q, error %v", r.Warnings, err)
	}
	i := slices.IndexFunc(r.Plan().Steps, func(s plan.Step) bool { return s.ID == "node" })
	if title := r.Plan().Steps[i].Title; !strings.Contains(title, "and wait for its finalizers") {
		t.Errorf("step %q", title)
	}
}

// boundPod is a pod on a node, of a DaemonSet.
func boundPod(name, node string, finalizers ...string) *corev1.Pod {
	pod := podWith(name, "DaemonSet")
	pod.UID, pod.Spec.NodeName, pod.Finalizers = types.UID(name), node, finalizers
	return &pod
}

func TestPodsOfANodeThatIsGoneAreCountedOnlyOnceTheyAreGone(t *testing.T) {
	again := worker()
	again.UID = "2"
	for name, tc := range map[string]struct {
		objects []runtime.Object
		frees   time.Duration
		left    []string
		says    string
		kept    int
	}{
		"all go":                     {objects: []runtime.Object{boundPod("a", "w1"), boundPod("b", "w1")}, says: "2 pods that ran there are deleted"},
		"there are none":             {},
		"another node's stays":       {objects: []runtime.Object{boundPod("a", "w2")}, kept: 1},
		"one is held by a finalizer": {objects: []runtime.Object{boundPod("a", "w1"), boundPod("b", "w1", "actions.github.com/cleanup-protection")}, left: []string{"shop/b of DaemonSet/x (finalizer actions.github.com/cleanup-protection)"}, says: "1 pods that ran there are deleted", kept: 1},
		"its controller is there and takes it off":       {objects: []runtime.Object{boundPod("a", "w1", "example.com/hold")}, frees: 3 * time.Second, says: "1 pods that ran there are deleted"},
		"its controller comes too late":                  {objects: []runtime.Object{boundPod("a", "w1", "example.com/hold")}, frees: time.Minute, left: []string{"shop/a"}, kept: 1},
		"a Node of that name has joined anew: its own":   {objects: []runtime.Object{again, boundPod("a", "w1")}, says: "has joined again", kept: 1},
		"a finalizer with control characters is defused": {objects: []runtime.Object{boundPod("a", "w1", "x\x1b]0;\ny")}, left: []string{"(finalizer x]0; y)"}, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := heeding(t, tc.objects...)
				if tc.frees > 0 {
					timer := time.AfterFunc(tc.frees, func() {
						_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", "a")
					})
					defer timer.Stop()
				}
				said := ""
				left, err := clearPods(t.Context(), client, "w1", func(format string, args ...any) { said += fmt.Sprintf(format, args...) })
				if err != nil || len(left) != len(tc.left) || !strings.Contains(said, tc.says) {
					t.Fatalf("left %v, said %q, error %v", left, said, err)
				}
				for i := range left {
					if !strings.Contains(left[i].String(), tc.left[i]) {
						t.Errorf("%q does not say %q", left[i], tc.left[i])
					}
				}
				pods, _ := client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
				if len(pods.Items) != tc.kept {
					t.Errorf("%d pods are there, want %d", len(pods.Items), tc.kept)
				}
			})
		})
	}
}

// What its controller makes again and again is neither deleted for ever nor called
// gone.
func TestAPodThatComesAgainAndAgainIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := heeding(t, boundPod("a0", "w1"))
		n := 0
		client.PrependReactor("delete", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			n++
			_ = client.Tracker().Create(corev1.SchemeGroupVersion.WithResource("pods"), boundPod(fmt.Sprintf("a%d", n), "w1"), "shop")
			return false, nil, nil
		})
		left, err := clearPods(t.Context(), client, "w1", func(string, ...any) {})
		if err != nil || len(left) != 1 || !strings.Contains(left[0].String(), "again and again") || n > 50 {
			t.Errorf("left %v after %d deletions, %v", left, n, err)
		}
	})
}

func TestPodsThatLingerEndACommandWithACodeOfTheirOwn(t *testing.T) {
	if err := StillThere(nil); err != nil {
		t.Error(err)
	}
	var left []Lingering
	for i := range 8 {
		left = append(left, lingering([]corev1.Pod{*boundPod(fmt.Sprintf("p%d", i), "w1", "example.com/hold")})...)
	}
	err := StillThere(left)
	if plan.ClassOf(err) != plan.Found || !strings.Contains(err.Error(), "and 3 more") || !strings.Contains(plan.HintOf(err), "kubectl -n shop edit pod p0") {
		t.Errorf("class %d, error %v, hint %q", plan.ClassOf(err), err, plan.HintOf(err))
	}
}

// The whole end of a removal: the record outlives what lingers, and the same command
// again finishes.
func TestARecordStaysAsLongAsPodsLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := worker()
		node.UID = "1"
		client := heeding(t, node, finishedRecord("w1"), boundPod("a", "w1", "example.com/hold"))
		cluster := runner.Cluster{Client: client}
		rec, _, err := runner.Get(t.Context(), cluster, "w1")
		if err != nil {
			t.Fatal(err)
		}
		r := &Removal{Node: node, cluster: cluster, record: rec}
		p := r.Plan()
		p.Steps = p.Steps[slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.ID == "node" }):]
		result, err := p.Run(t.Context(), nil)
		if err != nil || !slices.Equal(result.Skipped, []string{"record"}) || len(r.Lingering) != 1 {
			t.Fatalf("%+v, lingering %v, %v", result, r.Lingering, err)
		}
		again := func() ([]Lingering, bool) {
			u, found, err := FindUnfinished(t.Context(), cluster, "w1")
			if err != nil || !found {
				return nil, false
			}
			left, err := u.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return left, true
		}
		if left, found := again(); !found || len(left) != 1 {
			t.Errorf("a second run: found %v, left %v", found, left)
		}
		_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", "a")
		began := time.Now()
		if left, found := again(); !found || len(left) > 0 || time.Since(began) > time.Second {
			t.Errorf("a third run: found %v, left %v, after %s", found, left, time.Since(began))
		}
		if _, found := again(); found {
			t.Error("the record is still there")
		}
	})
}

func finishedRecord(node string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: runner.DefaultNamespace, Name: runner.NameFor(node), UID: "r", Labels: map[string]string{runner.Label: "remove"}},
		Data: map[string][]byte{
			wire.KeyOperation: []byte("remove"), wire.KeyNode: []byte(node), wire.KeyPhase: []byte(wire.Finished), wire.KeySince: []byte("2026-01-02T03:04:05Z"),
		},
	}
}
