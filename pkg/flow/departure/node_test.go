// SPDX-License-Identifier: Apache-2.0

package departure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/flowtest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestANodeIsGoneOnlyOnceTheAPISaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		finalizers []string
		// frees is when the finalizer's controller takes it off; never if zero.
		frees, timeout, cancel time.Duration
		class                  plan.Class
		says                   string
	}{
		"without a finalizer it is gone at once":      {},
		"a finalizer that is taken off is waited for": {finalizers: []string{"example.com/hold"}, frees: 90 * time.Second},
		"one that is not ends the wait after two minutes": {finalizers: []string{"example.com/hold"}, class: plan.TimedOut,
			says: "it waits for finalizer example.com/hold"},
		"--timeout ends it earlier": {finalizers: []string{"example.com/hold"}, frees: time.Minute,
			timeout: 20 * time.Second, class: plan.TimedOut, says: "node/w1"},
		"--timeout lets it take longer, too": {finalizers: []string{"example.com/hold"}, frees: 10 * time.Minute,
			timeout: time.Hour},
		"Ctrl-C ends it": {finalizers: []string{"example.com/hold"}, cancel: time.Second,
			class: plan.Interrupted, says: "still there"},
		"several finalizers are named together": {finalizers: []string{"a.example/x", "foregroundDeletion"}, class: plan.TimedOut,
			says: "finalizers a.example/x, foregroundDeletion"},
		"a finalizer's name cannot forge a line of output": {finalizers: []string{"a\n\x1b[2J✓ removed"}, class: plan.TimedOut,
			says: "finalizer a [2J✓ removed"},
		"of very many finalizers the first five are enough": {finalizers: many("f", 40), class: plan.TimedOut, says: "f4, 35 more"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := flowtest.Worker()
				node.UID, node.Finalizers = "1", tc.finalizers
				client := flowtest.Finalizing(t, node)
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
				err := DeleteNode(ctx, client, node, FinishesAtOnce,
					func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
				if plan.ClassOf(err) != tc.class || tc.class != 0 && (!errors.Is(err, errStays) || !strings.Contains(err.Error(), tc.says)) {
					t.Errorf("class %d, error %v", plan.ClassOf(err), err)
				}
				if tc.class != 0 && (!strings.Contains(plan.HintOf(err), "--show-managed-fields") || !strings.Contains(plan.HintOf(err),
					"finishes at once")) {
					t.Errorf("hint %q", plan.HintOf(err))
				}
				if (len(said) > 0) != (len(tc.finalizers) > 0) || len(said) > 0 &&
					!strings.Contains(said[0], "node/w1 is being deleted; waiting for finalizer") {
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
		node := flowtest.Worker()
		node.UID, node.Finalizers = "1", []string{"example.com/hold"}
		client := flowtest.Finalizing(t, node)
		time.AfterFunc(time.Second, func() {
			gvr := corev1.SchemeGroupVersion.WithResource("nodes")
			_ = client.Tracker().Delete(gvr, "", "w1")
			again := flowtest.Worker()
			again.UID = "2"
			_ = client.Tracker().Create(gvr, again, "")
		})
		if err := DeleteNode(t.Context(), client, node, FinishesAtOnce, func(string, ...any) {}); err != nil {
			t.Error(err)
		}
	})
}

func TestPodsOfANodeThatIsGoneAreCountedOnlyOnceTheyAreGone(t *testing.T) {
	again := flowtest.Worker()
	again.UID = "2"
	for name, tc := range map[string]struct {
		objects []runtime.Object
		frees   time.Duration
		left    []string
		says    string
		kept    int
	}{
		"all go": {objects: []runtime.Object{flowtest.BoundPod("a", "w1"), flowtest.BoundPod("b", "w1")},
			says: "2 pods that ran there are deleted"},
		"there are none":       {},
		"another node's stays": {objects: []runtime.Object{flowtest.BoundPod("a", "w2")}, kept: 1},
		"one is held by a finalizer": {objects: []runtime.Object{flowtest.BoundPod("a", "w1"),
			flowtest.BoundPod("b", "w1", "actions.github.com/cleanup-protection")}, left: []string{"shop/b of DaemonSet/x (finalizer " +
			"actions.github.com/cleanup-protection)"}, says: "1 pod that ran there is deleted", kept: 1},
		"its controller is there and takes it off": {objects: []runtime.Object{flowtest.BoundPod("a", "w1", "example.com/hold")},
			frees: 3 * time.Second, says: "1 pod that ran there is deleted"},
		"its controller comes too late": {objects: []runtime.Object{flowtest.BoundPod("a", "w1", "example.com/hold")},
			frees: time.Minute, left: []string{"shop/a"}, kept: 1},
		"a Node of that name has joined anew: its own": {objects: []runtime.Object{again, flowtest.BoundPod("a", "w1")},
			says: "has joined again", kept: 1},
		"a finalizer with control characters is defused": {objects: []runtime.Object{flowtest.BoundPod("a", "w1", "x\x1b]0;\ny")},
			left: []string{"(finalizer x]0; y)"}, kept: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := flowtest.Finalizing(t, tc.objects...)
				if tc.frees > 0 {
					timer := time.AfterFunc(tc.frees, func() {
						_ = client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", "a")
					})
					defer timer.Stop()
				}
				said := ""
				left, err := ClearPods(t.Context(), client, "w1", func(format string, args ...any) { said += fmt.Sprintf(format, args...) })
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
		client := flowtest.Finalizing(t, flowtest.BoundPod("a0", "w1"))
		n := 0
		client.PrependReactor("delete", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			n++
			_ = client.Tracker().Create(corev1.SchemeGroupVersion.WithResource("pods"), flowtest.BoundPod(fmt.Sprintf("a%d", n), "w1"), "shop")
			return false, nil, nil
		})
		left, err := ClearPods(t.Context(), client, "w1", func(string, ...any) {})
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
		left = append(left, lingering([]corev1.Pod{*flowtest.BoundPod(fmt.Sprintf("p%d", i), "w1", "example.com/hold")})...)
	}
	err := StillThere(left)
	if plan.ClassOf(err) != plan.Found || !strings.Contains(err.Error(), "and 3 more") || !strings.Contains(plan.HintOf(err),
		"kubectl -n shop edit pod p0") {
		t.Errorf("class %d, error %v, hint %q", plan.ClassOf(err), err, plan.HintOf(err))
	}
}

// A policy that keeps Nodes from being deleted is found before anything is changed.
func TestADeletionThatIsDeniedIsFoundByADryRun(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"nothing denies it": {},
		"a policy": {kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no deletions in a freeze"),
			"no deletions in a freeze"},
		"a right that is missing":            {apierrors.NewForbidden(corev1.Resource("nodes"), "w1", errors.New("no")), "delete node w1"},
		"a server in trouble says nothing":   {apierrors.NewInternalError(errors.New("etcd")), ""},
		"nor one that is busy":               {apierrors.NewTooManyRequests("later", 1), ""},
		"nor a webhook that takes none":      {apierrors.NewBadRequest(`admission webhook "x.y" does not support dry run`), ""},
		"a Node that is gone is for a later": {apierrors.NewNotFound(corev1.Resource("nodes"), "w1"), ""},
	} {
		client := flowtest.Permissive(t, nil, flowtest.Worker())
		client.PrependReactor("delete", "nodes", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if dry := a.(clienttesting.DeleteActionImpl).DeleteOptions.DryRun; len(dry) != 1 || dry[0] != metav1.DryRunAll {
				t.Errorf("%s: dryRun=%v", name, dry)
			}
			return true, nil, c.err
		})
		err := MayDelete(t.Context(), client, flowtest.Worker())
		if (err != nil) != (c.says != "") || err != nil && (plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" ||
			!strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, hint %q", name, err, plan.HintOf(err))
		}
	}
}

// One that is denied at the end has its way out, and is no refusal: the host is clean by then.
func TestADeletionThatIsDeniedAtTheEndSaysHowToFinish(t *testing.T) {
	client := flowtest.Permissive(t, nil, flowtest.Worker())
	client.PrependReactor("delete", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, kubetest.ByVAP(403, metav1.StatusReasonForbidden, "no deletions in a freeze")
	})
	err := DeleteNode(t.Context(), client, flowtest.Worker(), FinishesAtOnce, func(string, ...any) {})
	if plan.ClassOf(err) != plan.Broken || !strings.Contains(err.Error(), "no deletions in a freeze") ||
		!strings.Contains(plan.HintOf(err), FinishesAtOnce) {
		t.Errorf("class %d, %v, hint %q", plan.ClassOf(err), err, plan.HintOf(err))
	}
}
