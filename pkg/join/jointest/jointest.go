// SPDX-License-Identifier: Apache-2.0

// Package jointest has what the tests of the packages about joining share.
package jointest

import (
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

// The token that tests give, and its secret half.
const (
	GivenSecret = "0123456789abcdef"
	Given       = "abcdef." + GivenSecret
)

// WantRefusal checks an error's class, its way out and a part of its text; an
// empty text wants no error.
func WantRefusal(t *testing.T, err error, text string) {
	t.Helper()
	WantClass(t, err, plan.Refused, text)
}

// WantClass is WantRefusal for another class.
func WantClass(t *testing.T, err error, class plan.Class, text string) {
	t.Helper()
	if text == "" {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("got error %v, want one with %q", err, text)
	}
	if plan.ClassOf(err) != class || plan.HintOf(err) == "" {
		t.Errorf("%v: class %d with hint %q, want class %d and a hint", err, plan.ClassOf(err), plan.HintOf(err), class)
	}
}

// Allow answers access reviews: everything but what denied says.
func Allow(client *fake.Clientset, denied func(authorizationv1.SubjectAccessReviewSpec) bool) {
	client.PrependReactor("create", "subjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
		review.Status.Allowed = !denied(review.Spec)
		return true, review, nil
	})
}

// Nothing is denied.
func Nothing(authorizationv1.SubjectAccessReviewSpec) bool { return false }

// ControlPlanePod is the static pod of a component, with flags.
func ControlPlanePod(component string, flags ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: component + "-cp", Labels: map[string]string{"tier": "control-plane",
			"component": component}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: component, Command: append([]string{component}, flags...)}}},
	}
}

// Node is a Node whose condition Ready is so.
func Node(name string, ready corev1.ConditionStatus, message string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: message}}},
	}
}

// WantWarnings compares warnings by a part of their text and sees that each has a
// way out; words gives both.
func WantWarnings[W any](t *testing.T, got []W, words func(W) (text, hint string), want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d warnings, want %d: %v", len(got), len(want), got)
	}
	for i, w := range got {
		if text, hint := words(w); !strings.Contains(text, want[i]) || hint == "" {
			t.Errorf("warning %d: %+v, want %q and a hint", i, w, want[i])
		}
	}
}
