// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

var now = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func snapshotOf(pods ...*corev1.Pod) Snapshot {
	s := Snapshot{
		Nodes:      []corev1.Node{*kubetest.Node(kubetest.TheNode)},
		Taken:      now,
		DaemonSets: map[types.NamespacedName]bool{{Namespace: "shop", Name: "agent"}: true},
		Parents:    map[types.UID]metav1.OwnerReference{"uid-ReplicaSet-web-7c": {Kind: "Deployment", Name: "web", UID: "uid-web"}},
	}
	for _, pod := range pods {
		s.Pods = append(s.Pods, *pod)
	}
	return s
}

func TestDecideFollowsTheFilters(t *testing.T) {
	flags := func(change func(*Options)) Options {
		o := DefaultOptions()
		change(&o)
		return o
	}
	none := DefaultOptions()
	force := flags(func(o *Options) { o.Force = true })
	ignore := flags(func(o *Options) { o.IgnoreDaemonSets = true })
	empty := flags(func(o *Options) { o.DeleteEmptyDirData = true })
	all := flags(func(o *Options) { o.Force, o.IgnoreDaemonSets, o.DeleteEmptyDirData = true, true, true })
	deletes := flags(func(o *Options) { o.DisableEviction = true })
	skip := flags(func(o *Options) { o.SkipWaitForDeleteTimeoutSeconds = 60 })
	quick := flags(func(o *Options) { o.GracePeriodSeconds = 0 })
	self := types.NamespacedName{Namespace: kubetest.Pod("a").Namespace, Name: "a"}
	inside := flags(func(o *Options) { o.Self, o.Force = self, true })
	elsewhere := flags(func(o *Options) { o.Self = types.NamespacedName{Namespace: "elsewhere", Name: "a"} })
	for _, tc := range []struct {
		name   string
		pod    *corev1.Pod
		opts   Options
		action Action
		reason Reason
		also   []Reason
	}{
		{"a pod of a ReplicaSet is evicted", kubetest.Pod("a"), none, ActionEvict, ReasonManaged, nil},
		{"the pod that runs the command blocks with every flag", kubetest.Pod("a"), inside, ActionBlock, ReasonSelf, nil},
		{"another pod beside it is evicted", kubetest.Pod("b"), inside, ActionEvict, ReasonManaged, nil},
		{"one of its name elsewhere is evicted", kubetest.Pod("a"), elsewhere, ActionEvict, ReasonManaged, nil},
		{"if it is a DaemonSet's it stays with the others", kubetest.Pod("a", kubetest.OfDaemonSet),
			flags(func(o *Options) { o.Self, o.IgnoreDaemonSets = self, true }), ActionSkip, ReasonDaemonSet, nil},
		{"a pod of any controller is evicted", kubetest.Pod("a", kubetest.ControlledBy("example.com/v1", "Widget", "w")), none, ActionEvict,
			ReasonManaged, nil},
		{"without evictions it is deleted", kubetest.Pod("a"), deletes, ActionDelete, ReasonManaged, nil},
		{"a pod without a controller blocks", kubetest.Pod("a", kubetest.Uncontrolled), none, ActionBlock, ReasonUnmanaged, nil},
		{"a pod without a controller goes with --force", kubetest.Pod("a", kubetest.Uncontrolled), force, ActionEvict, ReasonUnmanaged, nil},
		{"a finished pod without a controller goes", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.InPhase(corev1.PodSucceeded)), none,
			ActionEvict, ReasonFinished, nil},
		{"a failed pod without a controller goes", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.InPhase(corev1.PodFailed)), none,
			ActionEvict, ReasonFinished, nil},
		{"a pod of a DaemonSet blocks", kubetest.Pod("a", kubetest.OfDaemonSet), none, ActionBlock, ReasonDaemonSet, nil},
		{"a pod of a DaemonSet blocks with --force too", kubetest.Pod("a", kubetest.OfDaemonSet), force, ActionBlock, ReasonDaemonSet, nil},
		{"a pod of a DaemonSet stays with --ignore-daemonsets", kubetest.Pod("a", kubetest.OfDaemonSet), ignore, ActionSkip,
			ReasonDaemonSet, nil},
		{"a pod of a DaemonSet with an emptyDir stays", kubetest.Pod("a", kubetest.OfDaemonSet, kubetest.WithEmptyDir), ignore, ActionSkip,
			ReasonDaemonSet, nil},
		{"a finished pod of a DaemonSet goes", kubetest.Pod("a", kubetest.OfDaemonSet, kubetest.InPhase(corev1.PodFailed)), none, ActionEvict,
			ReasonFinished, nil},
		{"a pod of a missing DaemonSet blocks", kubetest.Pod("a", kubetest.OfMissingDaemonSet), ignore, ActionBlock, ReasonDaemonSetMissing, nil},
		{"a pod of a missing DaemonSet goes with --force", kubetest.Pod("a", kubetest.OfMissingDaemonSet), force, ActionEvict,
			ReasonDaemonSetMissing, nil},
		{"a DaemonSet of another API group is any controller", kubetest.Pod("a", kubetest.ControlledBy("example.com/v1", "DaemonSet", "x")), none,
			ActionEvict, ReasonManaged, nil},
		{"a mirror pod stays", kubetest.Pod("a", kubetest.Mirrored, kubetest.Uncontrolled), none, ActionSkip, ReasonMirror, nil},
		{"a mirror pod with an emptyDir stays", kubetest.Pod("a", kubetest.Mirrored, kubetest.WithEmptyDir), none, ActionSkip, ReasonMirror, nil},
		{"a mirror pod of a missing DaemonSet blocks", kubetest.Pod("a", kubetest.Mirrored, kubetest.OfMissingDaemonSet), none, ActionBlock,
			ReasonDaemonSetMissing, nil},
		{"a mirror pod of a missing DaemonSet stays with --force", kubetest.Pod("a", kubetest.Mirrored, kubetest.OfMissingDaemonSet), force,
			ActionSkip, ReasonMirror, nil},
		{"an emptyDir blocks", kubetest.Pod("a", kubetest.WithEmptyDir), none, ActionBlock, ReasonLocalStorage, nil},
		{"an emptyDir goes with --delete-emptydir-data", kubetest.Pod("a", kubetest.WithEmptyDir), empty, ActionEvict, ReasonLocalStorage, nil},
		{"an emptyDir of a finished pod goes", kubetest.Pod("a", kubetest.WithEmptyDir, kubetest.InPhase(corev1.PodSucceeded)), none, ActionEvict,
			ReasonFinished, nil},
		{"all that blocks is said at once", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.WithEmptyDir), none, ActionBlock,
			ReasonLocalStorage, []Reason{ReasonUnmanaged}},
		{"half a consent still blocks", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.WithEmptyDir), empty, ActionBlock,
			ReasonUnmanaged, nil},
		{"with every consent it goes", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.WithEmptyDir), all, ActionEvict, ReasonLocalStorage,
			[]Reason{ReasonUnmanaged}},
		{"a terminating pod is waited for", kubetest.Pod("a", kubetest.DeletedAt(now.Add(20*time.Second), 30)), none, ActionWait,
			ReasonTerminating, nil},
		{"a terminating pod is asked again for a shorter grace", kubetest.Pod("a", kubetest.DeletedAt(now.Add(20*time.Second), 30)), quick,
			ActionEvict, ReasonManaged, nil},
		{"a terminating pod without a controller blocks", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.DeletedAt(now, 30)), none,
			ActionBlock, ReasonUnmanaged, nil},
		{"an overdue pod is not waited for", kubetest.Pod("a", kubetest.Uncontrolled, kubetest.DeletedAt(now.Add(-62*time.Second), 30)), skip,
			ActionSkip, ReasonOverdue, nil},
		{"a pod overdue by just the limit is waited for", kubetest.Pod("a", kubetest.DeletedAt(now.Add(-60*time.Second), 30)), skip, ActionWait,
			ReasonTerminating, nil},
		{"an overdue pod of a DaemonSet does not block", kubetest.Pod("a", kubetest.OfDaemonSet, kubetest.DeletedAt(now.Add(-62*time.Second),
			30)), skip, ActionSkip, ReasonOverdue, nil},
		{"a runner pod stays, whatever it is", kubetest.Pod("lifecycle-w1", kubetest.AsRunner, kubetest.WithEmptyDir), none, ActionSkip,
			ReasonRunner, nil},
		{"a runner pod stays with every flag", kubetest.Pod("lifecycle-w1", kubetest.AsRunner), all, ActionSkip, ReasonRunner, nil},
		{"a tenant's pod with the runner's label leaves", kubetest.Pod("lifecycle-w1", kubetest.AsRunner, kubetest.InNamespace("shop")), all,
			ActionEvict, ReasonUnmanaged, nil},
		{"a pod with the runner's label and another name leaves", kubetest.Pod("web", kubetest.AsRunner), all, ActionEvict, ReasonUnmanaged, nil},
		{"a pod with the runner's label that is not privileged leaves", kubetest.Pod("lifecycle-w1", kubetest.AsRunner, kubetest.Unprivileged),
			all, ActionEvict, ReasonUnmanaged, nil},
		{"a Deployment's pod with the runner's label leaves", kubetest.Pod("lifecycle-w1", kubetest.AsRunner,
			kubetest.ControlledBy("apps/v1", "ReplicaSet", "lifecycle")), all, ActionEvict, ReasonManaged, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := Decide(snapshotOf(tc.pod), tc.opts).Verdicts[0]
			if v.Action != tc.action || v.Reason != tc.reason {
				t.Errorf("got %s because %s, want %s because %s", v.Action, v.Reason, tc.action, tc.reason)
			}
			if len(v.Also)+len(tc.also) > 0 && !equal(v.Also, tc.also) {
				t.Errorf("got also %v, want %v", v.Also, tc.also)
			}
			if v.Message == "" {
				t.Error("the verdict has no message")
			}
			if v.Action == ActionBlock && !strings.Contains(v.Message, v.Reason.Flag()) {
				t.Errorf("the message %q does not name %s", v.Message, v.Reason.Flag())
			}
		})
	}
}

func equal[T comparable](a, b []T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestDecideSortsAndResolves(t *testing.T) {
	s := snapshotOf(kubetest.Pod("z"), kubetest.Pod("a"), kubetest.Pod("m", kubetest.InNamespace("db"), kubetest.Uncontrolled))
	s.Budgets = append(s.Budgets, *kubetest.Budget("web", 2, 2, 0))
	d := Decide(s, DefaultOptions())
	var order []string
	for _, v := range d.Verdicts {
		order = append(order, v.String())
	}
	if want := []string{"db/m", "shop/a", "shop/z"}; !equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
	v := d.Verdicts[1]
	if got := v.Owners.String(); got != "ReplicaSet/web-7c → Deployment/web" {
		t.Errorf("got owners %q", got)
	}
	if len(v.Budgets) != 1 || v.Budgets[0].Numbers() != "minAvailable 2: needs 2 healthy pods, has 2, 0 may go" {
		t.Errorf("got budgets %+v", v.Budgets)
	}
	if len(d.Verdicts[0].Budgets) != 0 {
		t.Error("a budget of another namespace matches")
	}
}

func TestRefusalNamesReasonsPodsAndFlags(t *testing.T) {
	if err := Decide(snapshotOf(kubetest.Pod("a")), DefaultOptions()).Refusal(); err != nil {
		t.Fatalf("nothing blocks, but: %v", err)
	}
	d := Decide(snapshotOf(kubetest.Pod("a", kubetest.WithEmptyDir), kubetest.Pod("b", kubetest.WithEmptyDir),
		kubetest.Pod("c", kubetest.WithEmptyDir), kubetest.Pod("d", kubetest.WithEmptyDir, kubetest.Uncontrolled),
		kubetest.Pod("e", kubetest.OfDaemonSet), kubetest.Pod("f", kubetest.OfMissingDaemonSet)), DefaultOptions())
	err := d.Refusal()
	if plan.ClassOf(err) != plan.Refused {
		t.Errorf("got class %v", plan.ClassOf(err))
	}
	for _, want := range []string{
		"1 pod of a DaemonSet, which ignores cordons (left there with --ignore-daemonsets): shop/e",
		"4 pods with local data in an emptyDir (lost with --delete-emptydir-data): shop/a, shop/b, shop/c and 1 more",
		"1 pod without a controller (gone for good with --force): shop/d",
		"1 pod of a DaemonSet that does not exist",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if got := plan.HintOf(err); got != "if that is meant, add --ignore-daemonsets --force --delete-emptydir-data" {
		t.Errorf("got hint %q", got)
	}
}

func TestWarningsSayWhatIsLostAndWhatWillNotGo(t *testing.T) {
	o := DefaultOptions()
	o.Force, o.IgnoreDaemonSets, o.DeleteEmptyDirData = true, true, true
	s := snapshotOf(kubetest.Pod("a", kubetest.WithEmptyDir, kubetest.Uncontrolled), kubetest.Pod("e", kubetest.OfDaemonSet))
	s.Budgets = append(s.Budgets, *kubetest.Budget("web", 2, 2, 0), *kubetest.Budget("all", 2, 2, 0))
	s.Nodes[0].Status.Conditions = nil
	got := strings.Join(Decide(s, o).Warnings(), "\n")
	for _, want := range []string{
		"leaving pods of DaemonSets where they are: shop/e",
		"deleting the emptyDir data of pods: shop/a",
		"evicting pods that nothing recreates: shop/a",
		"more than one PodDisruptionBudget matches, which the eviction API refuses while the pod runs: shop/a (all, web)",
		"not Ready; if a kubelet is gone",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts Options
		want string
	}{
		{"the defaults are valid", DefaultOptions(), ""},
		{"a negative grace period is the pod's own", Options{GracePeriodSeconds: -5}, ""},
		{"a negative skip-wait is off, as in kubectl", Options{SkipWaitForDeleteTimeoutSeconds: -1}, ""},
		{"a negative timeout is wrong", Options{Timeout: -time.Second}, "--timeout"},
		{"a negative chunk size is wrong", Options{ChunkSize: -1}, "--chunk-size"},
		{"a selector must parse", Options{PodSelector: "a in b"}, "--pod-selector"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.opts.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || plan.ClassOf(err) != plan.Misused):
				t.Errorf("got %v of class %v, want one about %s", err, plan.ClassOf(err), tc.want)
			}
		})
	}
}

// Only a controller that Kubernetes itself has is known to make another pod for each that goes.
func TestWhetherAControllerCreatesAnotherPodIsSaidOnlyOfThoseThatAreKnown(t *testing.T) {
	for of, want := range map[[2]string]string{
		{"apps/v1", "ReplicaSet"}:                                   "its controller creates another one",
		{"apps/v1", "StatefulSet"}:                                  "its controller creates another one",
		{"v1", "ReplicationController"}:                             "its controller creates another one",
		{"tekton.dev/v1", "TaskRun"}:                                "its TaskRun decides whether there is another one",
		{"argoproj.io/v1alpha1", "Workflow"}:                        "its Workflow decides whether there is another one",
		{"apps.kruise.io/v1alpha1", "CloneSet"}:                     "its CloneSet decides whether there is another one",
		{"example.com/v1", "Bad\x1b[2J" + strings.Repeat("x", 200)}: "",
	} {
		v := Decide(snapshotOf(kubetest.Pod("a", kubetest.ControlledBy(of[0], of[1], "x"))), DefaultOptions()).Verdicts[0]
		if v.Reason != ReasonManaged || want != "" && v.Message != want || len(v.Message) > 140 || strings.Contains(v.Message, "\x1b") {
			t.Errorf("%s %s: %s %q", of[0], of[1], v.Reason, v.Message)
		}
	}
}
