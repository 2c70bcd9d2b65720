// SPDX-License-Identifier: Apache-2.0

package cni

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/chart"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/cnitest"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/facts"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/cni/release"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// reviewing answers access reviews: everything but what is denied is allowed.
func reviewing(client *fake.Clientset, denied ...string) *fake.Clientset {
	client.PrependReactor("create", "selfsubjectaccessreviews", func(a k8stesting.Action) (bool, runtime.Object, error) {
		//nolint:forcetypeassert // by the filter
		review := a.(k8stesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		attributes := review.Spec.ResourceAttributes
		review.Status.Allowed = true
		for _, d := range denied {
			if d == attributes.Verb+" "+attributes.Resource {
				review.Status.Allowed = false
			}
		}
		return true, review, nil
	})
	return client
}

func writes(client *fake.Clientset) []string {
	var out []string
	for _, a := range client.Actions() {
		switch a.GetVerb() {
		case "get", "list", "watch":
			continue
		}
		if a.GetResource().Resource != "selfsubjectaccessreviews" {
			out = append(out, a.GetVerb()+" "+a.GetResource().Resource)
		}
	}
	return out
}

func decided(t *testing.T, f facts.Facts, req Request) Installation {
	t.Helper()
	req.CNI = "flannel"
	inst, err := Decide(f, req)
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

var someObjects = []release.Object{{Group: "apps", Resource: "daemonsets", Namespace: "kube-flannel", Name: "x"},
	{Resource: "secrets", Namespace: "kube-flannel", Name: "y"}}

func TestPrepareReadsBeforeAnythingIsWritten(t *testing.T) {
	flannel := chart.Chart{Name: "flannel", Version: "v0.28.4"}
	cases := map[string]struct {
		facts    facts.Facts
		releases fakeReleases
		denied   []string
		asked    []string
		says     string
		hint     string
	}{
		"chart, rendering, permissions": {
			facts: kubeadmFacts(), releases: fakeReleases{chart: flannel, objects: someObjects}, asked: []string{"load flannel", "render flannel"},
		},
		"nothing at all for a release to keep": {facts: kubeadmFacts(installed(release.Deployed, map[string]any{"podCidr": "10.244.0.0/16"}))},
		"a chart that is not there": {
			facts: kubeadmFacts(), releases: fakeReleases{fail: map[string]error{"load": plan.Refuse(errors.New("chart not found"), "elsewhere")}},
			asked: []string{"load flannel"}, says: "load chart flannel: chart not found", hint: "elsewhere",
		},
		"a chart that does not render": {
			facts: kubeadmFacts(), releases: fakeReleases{chart: flannel, fail: map[string]error{"render": errors.New("nil pointer")}},
			asked: []string{"load flannel", "render flannel"}, says: "render chart flannel v0.28.4: nil pointer", hint: "check --version",
		},
		"objects that were applied by hand": {
			facts: kubeadmFacts(),
			releases: fakeReleases{chart: flannel, fail: map[string]error{
				"render": errors.New("ClusterRole flannel exists and cannot be imported into the current release: …"),
			}},
			asked: []string{"load flannel", "render flannel"}, says: "ClusterRole flannel exists", hint: "--adopt",
		},
		"permissions that are missing, all of them at once": {
			facts: kubeadmFacts(), releases: fakeReleases{chart: flannel, objects: someObjects}, denied: []string{"create daemonsets",
				"patch namespaces"},
			asked: []string{"load flannel", "render flannel"},
			says:  "you may not create daemonsets.apps in namespace kube-flannel, nor patch namespaces", hint: "administrator",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := reviewing(fake.NewClientset(), c.denied...)
			got, err := Prepare(t.Context(), client, &c.releases, decided(t, c.facts, Request{}))
			if diff := cmp.Diff(c.asked, c.releases.asked); diff != "" {
				t.Error(diff)
			}
			if w := writes(client); len(w) > 0 {
				t.Errorf("it wrote: %v", w)
			}
			if c.says == "" {
				if err != nil || !cmp.Equal(got.Objects, c.releases.objects) {
					t.Errorf("objects %v, %v", got.Objects, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || plan.ClassOf(err) != plan.Refused ||
				!strings.Contains(plan.HintOf(err), c.hint) {
				t.Errorf("%v (hint %q)", err, plan.HintOf(err))
			}
		})
	}
}

func TestRecipeNamespaceStep(t *testing.T) {
	namespace := func(labels map[string]string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-flannel", Labels: labels}}
	}
	const enforce = "pod-security.kubernetes.io/enforce"
	cases := map[string]struct {
		there *corev1.Namespace
		want  []string
		kept  string // a label that must be there afterwards
	}{
		"it is made where there is none": {want: []string{"create namespaces"}},
		"it is labelled where it is not": {there: namespace(map[string]string{"team": "net"}),
			want: []string{"create namespaces", "patch namespaces"}, kept: "team"},
		"a stricter level is changed": {there: namespace(map[string]string{enforce: "baseline"}),
			want: []string{"create namespaces", "patch namespaces"}},
		"one that lets the agents in is left as it is": {there: namespace(map[string]string{enforce: "privileged",
			"pod-security.kubernetes.io/warn": "restricted"})},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset()
			if c.there != nil {
				client = fake.NewClientset(c.there)
			}
			step := Recipe(client, &fakeReleases{}, decided(t, kubeadmFacts(), Request{})).Steps[0]
			needed, err := step.Needed(t.Context())
			if err != nil || needed != (len(c.want) > 0) {
				t.Fatalf("needed %v, %v", needed, err)
			}
			if needed {
				if err := step.Do(t.Context(), func(string, ...any) {}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, writes(client)); diff != "" {
				t.Error(diff)
			}
			got, err := client.CoreV1().Namespaces().Get(t.Context(), "kube-flannel", metav1.GetOptions{})
			if err != nil || got.Labels[enforce] != "privileged" {
				t.Errorf("labels %v, %v", got.Labels, err)
			}
			if _, ok := got.Labels[c.kept]; c.kept != "" && !ok {
				t.Errorf("the label %s is gone", c.kept)
			}
		})
	}
	t.Run("one that is being deleted is refused", func(t *testing.T) {
		going := namespace(nil)
		going.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		_, err := namespaceNeeded(t.Context(), fake.NewClientset(going), "kube-flannel")
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "is being deleted") {
			t.Error(err)
		}
	})
	t.Run("an error names the object", func(t *testing.T) {
		client := fake.NewClientset()
		client.PrependReactor("create", "namespaces", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(corev1.Resource("namespaces"), "kube-flannel", errors.New("no"))
		})
		if err := ensureNamespace(t.Context(), client, "kube-flannel"); err == nil ||
			!strings.Contains(err.Error(), "create namespace kube-flannel: ") {
			t.Error(err)
		}
	})
}

// half is a release that was left half-made an age ago.
func half(status release.Status, age time.Duration) facts.Facts {
	f := kubeadmFacts(installed(status, nil))
	f.Releases[0].Updated = time.Now().Add(-age)
	return f
}

func TestApplyTakesUpWhatWasLeftHalfMade(t *testing.T) {
	cases := map[string]struct {
		status release.Status
		age    time.Duration
		waits  time.Duration
		asked  []string
	}{
		"abandoned long ago: at once": {release.PendingInstall, time.Hour, 0, []string{"find kube-flannel/flannel",
			"unlock pending-install", "apply upgrade"}},
		"a moment ago: after the rest of a minute": {release.PendingUpgrade, 20 * time.Second, 40 * time.Second,
			[]string{"find kube-flannel/flannel", "unlock pending-upgrade", "apply upgrade"}},
		"in the future, by a wrong clock: after one minute": {release.PendingRollback, -time.Hour, time.Minute,
			[]string{"find kube-flannel/flannel", "unlock pending-rollback", "apply upgrade"}},
		"a failed one needs no unlocking": {release.Failed, 0, 0, []string{"apply upgrade"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := half(c.status, c.age)
				releases := &fakeReleases{found: left.Releases[0]}
				start := time.Now()
				if err := apply(t.Context(), releases, decided(t, left, Request{}), func(string, ...any) {}); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got != c.waits {
					t.Errorf("waited %s, want %s", got, c.waits)
				}
				if diff := cmp.Diff(c.asked, releases.asked); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestApplyYieldsToAnotherProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := half(release.PendingInstall, time.Second)
		releases := &fakeReleases{found: left.Releases[0]}
		releases.found.Status = release.Deployed // meanwhile
		err := apply(t.Context(), releases, decided(t, left, Request{}), func(string, ...any) {})
		if plan.ClassOf(err) != plan.Refused || !strings.Contains(err.Error(), "another program has just worked on release flannel") {
			t.Error(err)
		}
	})
}

func TestApplySaysHowFarItCame(t *testing.T) {
	t.Run("a failure", func(t *testing.T) {
		releases := &fakeReleases{fail: map[string]error{"apply": errors.New("boom")}}
		err := apply(t.Context(), releases, decided(t, kubeadmFacts(), Request{}), func(string, ...any) {})
		if plan.ClassOf(err) != plan.Broken || !strings.Contains(plan.HintOf(err), "run the same command again to resume it") {
			t.Errorf("%v, hint %q", err, plan.HintOf(err))
		}
	})
	t.Run("an interruption", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		releases := &fakeReleases{onApply: cancel}
		err := apply(ctx, releases, decided(t, kubeadmFacts(), Request{}), func(string, ...any) {})
		if plan.ClassOf(err) != plan.Interrupted || !strings.Contains(err.Error(), "release flannel was applied in full") {
			t.Error(err)
		}
	})
}

func TestRecipeRunsInOrderAndThenHasNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := reviewing(fake.NewClientset())
		inst := decided(t, kubeadmFacts(), Request{})
		inst.Chart.Version = "v0.28.4"
		releases := &fakeReleases{onApply: func() { makeWorking(t, client) }}
		recipe := Recipe(client, releases, inst)
		if diff := cmp.Diff([]string{"namespace", "release", "network"}, recipe.IDs()); diff != "" {
			t.Error(diff)
		}
		if got := recipe.Steps[1].Title; got != "Install chart flannel v0.28.4 as release flannel" {
			t.Error(got)
		}
		result, err := recipe.Run(t.Context(), plan.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"namespace", "release"}, result.Done); diff != "" {
			t.Error(diff) // and the network worked at the first look
		}
		inst.keep()
		before := len(writes(client))
		result, err = Recipe(client, releases, inst).Run(t.Context(), plan.Discard)
		if err != nil || len(result.Done) > 0 || len(writes(client)) != before {
			t.Errorf("%+v, %v, %d writes", result, err, len(writes(client))-before)
		}
	})
}

func ExampleRecipe() {
	p := Recipe(fake.NewClientset(), &fakeReleases{}, Installation{CNI: "flannel", Release: "flannel", Namespace: "kube-flannel",
		Action: release.Install, Chart: chart.Chart{Version: "v0.28.4"}})
	for _, s := range p.Steps {
		fmt.Println(s.Title)
	}
	// Output:
	// Let namespace kube-flannel run privileged pods
	// Install chart flannel v0.28.4 as release flannel
	// Wait until the network works
}

func makeWorking(t *testing.T, client *fake.Clientset) {
	t.Helper()
	for _, o := range cnitest.Working() {
		if err := client.Tracker().Add(o); err != nil {
			t.Error(err)
		}
	}
}
