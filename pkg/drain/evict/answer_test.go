// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

func TestRead(t *testing.T) {
	pods := podResource.GroupResource()
	stale := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10)
	stale.ErrStatus.Details.Causes = append(stale.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: policyv1.DisruptionBudgetCause, Message: "The disruption budget web is still being processed by the server.",
	})
	for _, tc := range []struct {
		name string
		err  error
		want answer
	}{
		{"no error is consent", nil, answer{kind: accepted, cause: drain.CauseStopping, text: ""}},
		{"a pod that does not exist is gone", apierrors.NewNotFound(pods, "a"), answer{kind: gone, cause: drain.CauseStopping,
			text: "not found"}},
		{"a path that does not exist says nothing of the pod", apierrors.NewGenericServerResponse(404, "POST", schema.GroupResource{}, "", "", 0,
			false), answer{kind: never, cause: drain.CauseRejected, text: ""}},
		{"another UID means gone, at eviction", uidConflict("a"), answer{kind: gone, cause: drain.CauseStopping, text: "UID"}},
		{"another UID means gone, at deletion", apierrors.NewConflict(pods, "a",
			errors.New("Precondition failed: UID in precondition: x, UID in object meta: "+
				"y")), answer{kind: gone, cause: drain.CauseStopping, text: "UID"}},
		{"another conflict is a race", apierrors.NewConflict(pods, "a", errors.New("the object has been modified")),
			answer{kind: later, cause: drain.CauseServer, text: "modified"}},
		{"a budget without room is told by its cause", refusedBy(kubetest.Budget("web", 2, 2, 0)), answer{kind: later, cause: drain.CauseBudget,
			text: "The disruption budget web needs 2 healthy pods and has 2 currently"}},
		{"a budget being processed says how long", stale, answer{kind: later, cause: drain.CauseBudget, text: "still being processed",
			after: 10 * time.Second}},
		{"a busy server is no budget", apierrors.NewTooManyRequests("the server has received too many requests", 1),
			answer{kind: later, cause: drain.CauseBusy, text: "too many", after: time.Second}},
		{"several budgets", severalBudgets(), answer{kind: later, cause: drain.CauseSeveralBudgets, text: "more than one"}},
		{"a terminating namespace", terminatingNamespace("a"), answer{kind: later, cause: drain.CauseNamespace, text: "being deleted"}},
		{"a webhook that denies", deniedByWebhook(), answer{kind: later, cause: drain.CauseWebhook, text: "will move it myself"}},
		{"a webhook that denies with 429", &apierrors.StatusError{ErrStatus: metav1.Status{Code: 429,
			Message: `admission webhook "virt" denied the request: Eviction triggered evacuation of VMI`}}, answer{kind: later,
			cause: drain.CauseWebhook, text: "evacuation"}},
		{"a webhook that fails", apierrors.NewInternalError(errors.New(`failed calling webhook "x": EOF`)),
			answer{kind: later, cause: drain.CauseWebhookDown, text: "EOF"}},
		{"a budget that is out of order", apierrors.NewForbidden(schema.GroupResource{Resource: "poddisruptionbudget"}, "web",
			errors.New("pdb disruptions allowed is negative")), answer{kind: later, cause: drain.CauseBudget, text: "negative"}},
		{"no permission", kubetest.NoRight("create", "pods/eviction"), answer{kind: never, cause: drain.CauseForbidden, text: "cannot create"}},
		{"no credentials", apierrors.NewUnauthorized("no"), answer{kind: never, cause: drain.CauseForbidden, text: "no"}},
		{"a request the server finds wrong", apierrors.NewBadRequest("grace"), answer{kind: never, cause: drain.CauseRejected, text: "grace"}},
		{"a server timeout says how long", apierrors.NewTimeoutError("conflicts", 10), answer{kind: later, cause: drain.CauseServer,
			text: "conflicts", after: 10 * time.Second}},
		{"unavailable", apierrors.NewServiceUnavailable("down"), answer{kind: later, cause: drain.CauseServer, text: "down"}},
		{"no connection", fmt.Errorf("dial: %w", errors.New("connection refused")), answer{kind: later, cause: drain.CauseServer,
			text: "refused"}},
		{"no answer before the end", context.Canceled, answer{kind: later, cause: drain.CauseNotAsked, text: "no answer"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := read(tc.err, drain.Right{Verb: "create", Resource: "pods/eviction"})
			if got.kind != tc.want.kind || got.cause != tc.want.cause || got.after != tc.want.after || !strings.Contains(got.text, tc.want.text) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestReadLeavesNoCodeOut(t *testing.T) {
	for code := 400; code < 600; code++ {
		err := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Message: http.StatusText(code)}}
		got := read(err, drain.Right{})
		if got.kind == accepted || got.kind == gone {
			t.Errorf("%d is taken for success: %+v", code, got)
		}
		if code >= 500 && got.kind != later {
			t.Errorf("%d is not tried again: %+v", code, got)
		}
	}
}
