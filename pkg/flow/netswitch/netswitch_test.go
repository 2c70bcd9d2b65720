// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// pod is a Ready one of a ReplicaSet with an address, made an hour before.
func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "shop", CreationTimestamp: metav1.NewTime(begun.Add(-time.Hour)),
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web", Controller: new(true)}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.1.2", StartTime: &metav1.Time{Time: begun.Add(-time.Hour)},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}}
	for _, c := range change {
		c(p)
	}
	return p
}

var begun = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func TestWhatIsDoneWithPodsFromBefore(t *testing.T) {
	sandbox := func(at time.Time) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReadyToStartContainers,
				Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(at)})
		}
	}
	// ahead is a host whose clock is not the API server's, by which both times are.
	ahead := func(by, ready time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			start := p.CreationTimestamp.Add(by)
			p.Status.StartTime = &metav1.Time{Time: start}
			sandbox(start.Add(ready))(p)
		}
	}
	unknown := func(p *corev1.Pod) { p.Status.StartTime = nil }
	static := func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }
	leaving := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: begun} }
	young := func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(begun) }
	for name, tc := range map[string]struct {
		pod  *corev1.Pod
		want fate
	}{
		"one that is Ready may serve":                       {pod("a"), evict},
		"one that is not serves nothing":                    {pod("a", unready), remove},
		"one without a controller":                          {pod("a", func(p *corev1.Pod) { p.OwnerReferences = nil }), bare},
		"a static pod":                                      {pod("a", static), bare},
		"one in its host's network":                         {pod("a", func(p *corev1.Pod) { p.Spec.HostNetwork = true }), leave},
		"one that has ended":                                {pod("a", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), leave},
		"one that waits for a network":                      {pod("a", func(p *corev1.Pod) { p.Status.PodIP = "" }), leave},
		"one that is being deleted":                         {pod("a", leaving), leave},
		"one that was made since":                           {pod("a", young), leave},
		"one from before that got its network since":        {pod("a", sandbox(begun.Add(time.Second))), leave},
		"one that was made since, where clocks are behind":  {pod("a", young, sandbox(begun.Add(-time.Minute))), leave},
		"one from before, and a clock that is ahead":        {pod("a", ahead(2*time.Hour, time.Second)), evict},
		"one from before, and a clock that is days ahead":   {pod("a", ahead(50*time.Hour, time.Minute)), evict},
		"one that got it since, and a clock that is behind": {pod("a", ahead(-3*time.Hour, time.Hour+time.Second)), leave},
		"one that got it since, and a clock that is ahead":  {pod("a", ahead(3*time.Hour, time.Hour+time.Second)), leave},
		"a static pod, and a clock that is ahead":           {pod("a", static, ahead(2*time.Hour, time.Second)), bare},
		"one of which the host does not say when it began":  {pod("a", sandbox(begun.Add(time.Minute)), unknown), evict},
		"one whose network is older, by its own condition":  {pod("a", sandbox(begun.Add(-time.Minute))), evict},
	} {
		if got := fateOf(tc.pod, begun); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

const bare = name // a case has a name, too

func TestABudgetIsWaitedForAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(pod("kept"), pod("free"), pod("dead", unready), pod("bare", func(p *corev1.Pod) { p.OwnerReferences = nil }))
		asked := 0
		client.PrependReactor("create", "pods", func(action ktesting.Action) (bool, runtime.Object, error) {
			eviction := action.(ktesting.CreateAction).GetObject().(metav1.Object)
			if eviction.GetName() == "kept" {
				if asked++; asked < 3 {
					return true, nil, apierrors.NewTooManyRequests("the budget web needs 3 pods", 1)
				}
			}
			return true, nil, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", eviction.GetName())
		})
		var said []string
		got, err := RestartPods(t.Context(), client, begun, func(format string, _ ...any) { said = append(said, format) })
		if err != nil || got.Pods != 3 || len(got.Held) != 0 || !slices.Equal(got.Bare, []string{"shop/bare"}) || asked != 3 || len(said) != 2 {
			t.Errorf("%+v, %v, asked %d times, said %d times", got, err, asked, len(said))
		}
		if names, err := Before(t.Context(), client, begun); err != nil || !slices.Equal(names, []string{"shop/bare"}) {
			t.Errorf("from before are %v, %v", names, err)
		}
		left, err := client.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(left.Items) != 1 || left.Items[0].Name != "bare" {
			t.Errorf("left: %v, %v", left.Items, err)
		}
	})
}

func TestPodsThatABudgetKeepsAreNamedWhenTheTimeIsOver(t *testing.T) {
	for want, answer := range map[string]error{
		"budget web": apierrors.NewTooManyRequests("the budget web needs 1 pod", 1),
		// As the API server says it (registry/core/pod/storage/eviction.go).
		"more than one": apierrors.NewInternalError(errors.New("this pod has more than one PodDisruptionBudget")),
	} {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset(pod("kept"), pod("other"))
			client.PrependReactor("create", "pods", func(action ktesting.Action) (bool, runtime.Object, error) {
				if name := action.(ktesting.CreateAction).GetObject().(metav1.Object).GetName(); name == "other" {
					return true, nil, client.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), "shop", name)
				}
				return true, nil, answer
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := RestartPods(ctx, client, begun, func(string, ...any) {})
			if err != nil || !strings.Contains(got.Held["shop/kept"], want) || len(got.Held) != 1 || got.Pods != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestASwitchIsRefusedWithoutTheRights(t *testing.T) {
	for _, missing := range []string{"", "eviction", "configmaps"} {
		client := fake.NewClientset()
		client.PrependReactor("create", "selfsubjectaccessreviews", func(action ktesting.Action) (bool, runtime.Object, error) {
			review := action.(ktesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
			asked := review.Spec.ResourceAttributes
			review.Status.Allowed = missing == "" || asked.Resource != missing && asked.Subresource != missing
			return true, review, nil
		})
		err := Allowed(t.Context(), client)
		if (err != nil) != (missing != "") || err != nil && (plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), missing)) {
			t.Errorf("without %q: %v", missing, err)
		}
	}
}

func TestAPodThatCannotBeRestartedHoldsNoOther(t *testing.T) {
	for name, how := range map[string]struct {
		verb   string
		change func(*corev1.Pod)
	}{"an eviction": {"create", func(*corev1.Pod) {}}, "a deletion": {"delete", unready}} {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset(pod("a-denied", how.change), pod("b", unready), pod("c", unready))
			client.PrependReactor(how.verb, "pods", func(action ktesting.Action) (bool, runtime.Object, error) {
				if deletion, is := action.(ktesting.DeleteAction); is && deletion.GetName() != "a-denied" {
					return false, nil, nil
				}
				return true, nil, apierrors.NewForbidden(corev1.Resource("pods"), "a-denied", errors.New("a webhook says no"))
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got, err := RestartPods(ctx, client, begun, func(string, ...any) {})
			if err != nil || got.Pods != 2 || len(got.Held) != 1 || !strings.Contains(got.Held["shop/a-denied"], "a webhook says no") {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		})
	}
}

func TestTheStateOfASwitchIsKept(t *testing.T) {
	store := Store{Client: fake.NewClientset()}
	if _, found, err := store.Load(t.Context()); found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	state, err := store.Begin(t.Context(), State{From: "flannel", To: "cilium", Agents: []string{"kube-flannel/x-"}, Phase: Uninstall})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), Name, metav1.GetOptions{}); err != nil {
		t.Errorf("it is not where every other command looks: %v", err)
	}
	if _, err := store.Begin(t.Context(), state); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
		t.Errorf("a second command begins, too: %v", err)
	}
	for _, phase := range []Phase{Clean, Install, Restart} {
		state.Phase, state.Cleaned = phase, append(state.Cleaned, "w-"+string(phase))
		if state, err = store.Save(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		got, found, err := store.Load(t.Context())
		if err != nil || !found || got.Phase != phase || !slices.Equal(got.Cleaned, state.Cleaned) || got.From != "flannel" ||
			got.To != "cilium" || !slices.Equal(got.Agents, state.Agents) ||
			got.Installed.IsZero() != (phase == Clean) || !got.Installed.Equal(state.Installed) {
			t.Errorf("%s: %+v, %v", phase, got, err)
		}
		if got.Past(phase) || !got.Past(Uninstall) {
			t.Errorf("%s: past %v, %v", phase, got.Past(phase), got.Past(Uninstall))
		}
	}
	if state.Resumes("", "cilium") != nil || state.Resumes("flannel", "cilium") != nil || state.Resumes("", "calico") == nil ||
		plan.ClassOf(state.Resumes("calico", "cilium")) != plan.Refused {
		t.Error("another switch is taken for this one")
	}
	if err := errors.Join(store.End(t.Context()), store.End(t.Context())); err != nil {
		t.Error(err)
	}
	if _, found, err := store.Load(t.Context()); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestADamagedStateIsNoState(t *testing.T) {
	for name, data := range map[string]map[string]string{
		"nothing":                            {},
		"a phase that is none":               {"from": "a", "to": "b", "phase": "sleep"},
		"no list":                            {"from": "a", "to": "b", "phase": "clean", "cleaned": "{"},
		"no time":                            {"from": "a", "to": "b", "phase": "install", "installed": "soon"},
		"pods from a time that is not known": {"from": "a", "to": "b", "phase": "restart"},
	} {
		store := Store{Client: fake.NewClientset(&corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: "kube-system"}, Data: data})}
		if _, _, err := store.Load(t.Context()); plan.ClassOf(err) != plan.Refused || plan.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
