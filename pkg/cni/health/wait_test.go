// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// waited runs Wait in the background and collects what it reports.
type waited struct {
	said []string
	err  error
	end  chan struct{}
}

// done tells whether Wait has returned; said and err may be read then.
func (w *waited) done() bool {
	synctest.Wait()
	select {
	case <-w.end:
		return true
	default:
		return false
	}
}

func waitOn(ctx context.Context, client *fake.Clientset) *waited {
	w := &waited{end: make(chan struct{})}
	go func() {
		w.err = Wait(ctx, client, flannel(), func(format string, args ...any) { w.said = append(w.said, fmt.Sprintf(format, args...)) })
		close(w.end)
	}()
	time.Sleep(time.Second) // the caches have been read
	return w
}

func replace(t *testing.T, client *fake.Clientset, o runtime.Object) {
	t.Helper()
	gvr := corev1.SchemeGroupVersion.WithResource("nodes")
	switch o.(type) {
	case *corev1.Pod:
		gvr.Resource = "pods"
	case *appsv1.Deployment:
		gvr = appsv1.SchemeGroupVersion.WithResource("deployments")
	case *appsv1.DaemonSet:
		gvr = appsv1.SchemeGroupVersion.WithResource("daemonsets")
	}
	if err := client.Tracker().Update(gvr, o, o.(metav1.Object).GetNamespace()); err != nil { //nolint:forcetypeassert // objects of the API
		t.Error(err)
	}
}

func TestWaitFollowsTheNetworkUntilItHasWorkedAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(cnitest.Working()...)
		replace(t, client, cnitest.Agent("b", waitingFor("PodInitializing", "")))
		replace(t, client, cnitest.Node("b", cnitest.Ready, notReady("cni plugin not initialized")))
		replace(t, client, cnitest.CoreDNS(false))
		w := waitOn(t.Context(), client)
		replace(t, client, cnitest.Agent("b"))
		time.Sleep(pause)
		replace(t, client, cnitest.Node("b", cnitest.Ready))
		time.Sleep(pause / 4)
		replace(t, client, cnitest.Node("b", cnitest.Ready, notReady("flapping"))) // too short to be told
		time.Sleep(pause / 4)
		replace(t, client, cnitest.Node("b", cnitest.Ready))
		time.Sleep(pause)
		replace(t, client, cnitest.CoreDNS(true))
		time.Sleep(settled - pause)
		// A crash right after the start, and then well again.
		replace(t, client, cnitest.Agent("b", crashing))
		time.Sleep(pause)
		replace(t, client, cnitest.Agent("b"))
		time.Sleep(settled - pause)
		if w.done() {
			t.Fatal("it did not wait for the network to settle")
		}
		time.Sleep(settled)
		if !w.done() || w.err != nil {
			t.Fatalf("not done, or %v", w.err)
		}
		want := strings.Join([]string{
			"agents 1/2, nodes Ready 1/2, CoreDNS 0/1; waiting for agent on b: starting (and 2 more)",
			"agents 2/2, nodes Ready 1/2, CoreDNS 0/1; waiting for node b: not Ready: cni plugin not initialized (and 1 more)",
			"agents 2/2, nodes Ready 2/2, CoreDNS 0/1; waiting for CoreDNS: deployment coredns has 0 of 1 pods available",
			"agents 2/2, nodes Ready 2/2, CoreDNS 1/1",
			"agents 1/2, nodes Ready 2/2, CoreDNS 1/1; waiting for agent on b: container kube-flannel crashes (exit code 1)",
			"agents 2/2, nodes Ready 2/2, CoreDNS 1/1",
		}, "\n")
		if got := strings.Join(w.said, "\n"); got != want {
			t.Errorf("it said:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestWaitSettlesAmidUnrelatedChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(cnitest.Working()...)
		w := waitOn(t.Context(), client)
		for i := range 4 {
			time.Sleep(settled / 4)
			replace(t, client, cnitest.Node("b", cnitest.Ready, func(n *corev1.Node) { n.Labels["beat"] = fmt.Sprint(i) }))
			synctest.Wait()
		}
		if !w.done() || w.err != nil {
			t.Errorf("not done, or %v", w.err)
		}
	})
}

func TestWaitTimesOutNamingWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(cnitest.Working()...)
		replace(t, client, cnitest.Agent("a", crashing))
		if err := client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "kube-flannel", "agent-b"); err != nil {
			t.Fatal(err)
		}
		refusal := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "kube-flannel"}, Reason: "FailedCreate",
			Message: "violates PodSecurity"}
		refusal.InvolvedObject = corev1.ObjectReference{Kind: "DaemonSet", Name: "kube-flannel-ds", UID: "set"}
		if err := client.Tracker().Add(refusal); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := waitOn(ctx, client)
		<-w.end
		if plan.ClassOf(w.err) != plan.TimedOut {
			t.Fatalf("class %d: %v", plan.ClassOf(w.err), w.err)
		}
		for _, want := range []string{
			"agents 0/2", "agent on a: container kube-flannel crashes (exit code 1): fake logs", "agent on b: its pod cannot be made: violates " +
				"PodSecurity",
		} {
			if !strings.Contains(w.err.Error(), want) {
				t.Errorf("no %q in %q", want, w.err)
			}
		}
		if hint := plan.HintOf(w.err); !strings.Contains(hint, "kubectl -n kube-flannel describe pod agent-a") ||
			!strings.Contains(hint, "go on waiting") {
			t.Error(hint)
		}
		if len(w.said) != 4 || !strings.HasSuffix(w.said[3], "(45s so far)") {
			t.Errorf("one line and three signs of life, not:\n%s", strings.Join(w.said, "\n"))
		}
	})
}

func TestWaitEndsWhenInterruptedOrDenied(t *testing.T) {
	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w := waitOn(ctx, fake.NewClientset())
			cancel()
			<-w.end
			if plan.ClassOf(w.err) != plan.Interrupted || !strings.Contains(w.err.Error(), "there is no daemonset") {
				t.Errorf("class %d: %v", plan.ClassOf(w.err), w.err)
			}
		})
	})
	t.Run("without an image, with a way to another", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			client := fake.NewClientset(cnitest.Working()...)
			replace(t, client, cnitest.Agent("a", waitingFor("ErrImagePull", "not found")))
			w := waitOn(ctx, client)
			<-w.end
			if !strings.Contains(plan.HintOf(w.err), "--mirror REGISTRY=HOST") {
				t.Error(plan.HintOf(w.err))
			}
		})
	})
	t.Run("without a sandbox, with the event that says why", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			client := fake.NewClientset(cnitest.Working()...)
			pod := cnitest.Agent("a", waitingFor("ContainerCreating", ""))
			pod.UID = "u1"
			replace(t, client, pod)
			_, err := client.CoreV1().Events(pod.Namespace).Create(t.Context(), &corev1.Event{
				ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: "e"}, Reason: "FailedCreatePodSandBox",
				InvolvedObject: corev1.ObjectReference{Name: pod.Name, UID: "u1"}, Message: "open /run/r.conf: no such file",
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			w := waitOn(ctx, client)
			<-w.end
			if !strings.Contains(w.err.Error(), "agent on a: open /run/r.conf: no such file") {
				t.Error(w.err)
			}
		})
	})
	t.Run("not allowed to watch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset()
			client.PrependReactor("list", "nodes", func(k8stesting.Action) (bool, runtime.Object, error) {
				return true, nil, apierrors.NewForbidden(corev1.Resource("nodes"), "", errors.New("no"))
			})
			w := waitOn(t.Context(), client)
			if !w.done() || !apierrors.IsForbidden(w.err) {
				t.Errorf("not done, or %v", w.err)
			}
		})
	})
}
