// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubectl "k8s.io/kubectl/pkg/drain"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// TestDecideAgreesWithKubectl compares the classification of generated pods
// with that of kubectl's own library, under every combination of flags.
func TestDecideAgreesWithKubectl(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	objects := []runtime.Object{kubetest.Node(kubetest.TheNode), kubetest.DaemonSet()}
	for i := range 600 {
		objects = append(objects, generatePod(random, fmt.Sprintf("pod-%03d", i)))
	}
	client := fake.NewClientset(objects...)
	for flags := range 64 {
		o := DefaultOptions()
		o.Force, o.IgnoreDaemonSets, o.DeleteEmptyDirData = flags&1 != 0, flags&2 != 0, flags&4 != 0
		o.DisableEviction = flags&8 != 0
		if flags&16 != 0 {
			o.SkipWaitForDeleteTimeoutSeconds = 60
		}
		if flags&32 != 0 {
			o.PodSelector = "app=web"
		}
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) { compare(t, client, o) })
	}
}

func compare(t *testing.T, client *fake.Clientset, o Options) {
	t.Helper()
	helper := &kubectl.Helper{
		Ctx: t.Context(), Client: client, Force: o.Force, GracePeriodSeconds: o.GracePeriodSeconds,
		IgnoreAllDaemonSets: o.IgnoreDaemonSets, DeleteEmptyDirData: o.DeleteEmptyDirData, PodSelector: o.PodSelector,
		DisableEviction: o.DisableEviction, SkipWaitForDeleteTimeoutSeconds: o.SkipWaitForDeleteTimeoutSeconds,
	}
	list, errs := helper.GetPodsForDeletion(kubetest.TheNode)
	if list == nil {
		t.Fatal(errs)
	}
	theirs := map[string]string{}
	for _, pod := range list.Pods() {
		theirs[pod.Namespace+"/"+pod.Name] = "goes"
	}
	for _, err := range errs {
		_, names, _ := strings.Cut(err.Error(), ": ")
		if i := strings.LastIndex(names, ": "); i >= 0 {
			names = names[i+2:]
		}
		for name := range strings.SplitSeq(names, ", ") {
			theirs[name] = "blocks"
		}
	}
	warned := list.Warnings()
	d := decideOn(t, client, o)
	if len(d.Verdicts) == 0 {
		t.Fatal("no pods")
	}
	for _, v := range d.Verdicts {
		want := theirs[v.String()]
		delete(theirs, v.String())
		got := map[Action]string{ActionEvict: "goes", ActionDelete: "goes", ActionWait: "goes", ActionBlock: "blocks", ActionSkip: ""}[v.Action]
		if got != want {
			t.Errorf("%s: %s because %s; kubectl says %q", v, v.Action, v.Reason, want)
		}
		ignored := v.Action == ActionSkip && v.Reason == ReasonDaemonSet
		if consent := v.Has(ReasonUnmanaged) || v.Has(ReasonLocalStorage) || v.Has(ReasonDaemonSetMissing); strings.Contains(warned,
			v.String()) && !ignored && !consent {
			t.Errorf("%s: kubectl warns, we give %s", v, v.Reason)
		}
	}
	for name, what := range theirs {
		t.Errorf("kubectl knows %s (%s), we do not", name, what)
	}
}

// generatePod combines everything that the filters look at.
func generatePod(random *rand.Rand, name string) *corev1.Pod {
	pod := kubetest.Pod(name)
	pick := func(options ...kubetest.PodOption) {
		if option := options[random.IntN(len(options))]; option != nil {
			option(pod)
		}
	}
	pick(nil, kubetest.Uncontrolled, kubetest.OfDaemonSet, kubetest.OfMissingDaemonSet, kubetest.ControlledBy("extensions/v1beta1",
		"DaemonSet", "agent"),
		kubetest.ControlledBy("batch/v1", "Job", "once"), kubetest.ControlledBy("example.com/v1", "Widget", "w"), notController)
	pick(nil, nil, kubetest.Mirrored)
	pick(nil, kubetest.WithEmptyDir)
	pick(nil, nil, kubetest.InPhase(corev1.PodSucceeded), kubetest.InPhase(corev1.PodFailed), kubetest.InPhase(corev1.PodPending),
		kubetest.InPhase(corev1.PodUnknown))
	pick(nil, nil, kubetest.DeletedAt(time.Now().Add(-time.Hour), 30), kubetest.DeletedAt(time.Now().Add(time.Hour), 30),
		kubetest.DeletedAt(time.Now().Add(-30*time.Second), 30))
	pick(nil, kubetest.Labelled("app", "db"))
	pick(nil, kubetest.InNamespace("other"))
	return pod
}

// notController has an owner that is no controller.
func notController(pod *corev1.Pod) { pod.OwnerReferences[0].Controller = nil }
