// SPDX-License-Identifier: Apache-2.0

package drain

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
		{"no error is consent", nil, answer{accepted, CauseStopping, "", 0}},
		{"a pod that does not exist is gone", apierrors.NewNotFound(pods, "a"), answer{gone, CauseStopping, "not found", 0}},
		{"a path that does not exist says nothing of the pod", apierrors.NewGenericServerResponse(404, "POST", schema.GroupResource{}, "", "", 0, false), answer{never, CauseRejected, "", 0}},
		{"another UID means gone, at eviction", uidConflict("a"), answer{gone, CauseStopping, "UID", 0}},
		{"another UID means gone, at deletion", apierrors.NewConflict(pods, "a", errors.New("Precondition failed: UID in precondition: x, UID in object meta: y")), answer{gone, CauseStopping, "UID", 0}},
		{"another conflict is a race", apierrors.NewConflict(pods, "a", errors.New("the object has been modified")), answer{later, CauseServer, "modified", 0}},
		{"a budget without room is told by its cause", refusedBy(makeBudget("web", 2, 2, 0)), answer{later, CauseBudget, "The disruption budget web needs 2 healthy pods and has 2 currently", 0}},
		{"a budget being processed says how long", stale, answer{later, CauseBudget, "still being processed", 10 * time.Second}},
		{"a busy server is no budget", apierrors.NewTooManyRequests("the server has received too many requests", 1), answer{later, CauseBusy, "too many", time.Second}},
		{"several budgets", severalBudgets(), answer{later, CauseSeveralBudgets, "more than one", 0}},
		{"a terminating namespace", terminatingNamespace("a"), answer{later, CauseNamespace, "terminated", 0}},
		{"a webhook that denies", deniedByWebhook(), answer{later, CauseWebhook, "move.example.com", 0}},
		{"a webhook that denies with 429", &apierrors.StatusError{ErrStatus: metav1.Status{Code: 429, Message: `admission webhook "virt" denied the request: Eviction triggered evacuation of VMI`}}, answer{later, CauseWebhook, "evacuation", 0}},
		{"a webhook that fails", apierrors.NewInternalError(errors.New(`failed calling webhook "x": EOF`)), answer{later, CauseServer, "failed calling", 0}},
		{"a budget that is out of order", apierrors.NewForbidden(schema.GroupResource{Resource: "poddisruptionbudget"}, "web", errors.New("pdb disruptions allowed is negative")), answer{later, CauseBudget, "negative", 0}},
		{"no permission", apierrors.NewForbidden(pods, "a", errors.New("no")), answer{never, CauseForbidden, "forbidden", 0}},
		{"no credentials", apierrors.NewUnauthorized("no"), answer{never, CauseForbidden, "no", 0}},
		{"a request the server finds wrong", apierrors.NewBadRequest("grace"), answer{never, CauseRejected, "grace", 0}},
		{"a server timeout says how long", apierrors.NewTimeoutError("conflicts", 10), answer{later, CauseServer, "conflicts", 10 * time.Second}},
		{"unavailable", apierrors.NewServiceUnavailable("down"), answer{later, CauseServer, "down", 0}},
		{"no connection", fmt.Errorf("dial: %w", errors.New("connection refused")), answer{later, CauseServer, "refused", 0}},
		{"no answer before the end", context.Canceled, answer{later, CauseNotAsked, "no answer", 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := read(tc.err)
			if got.kind != tc.want.kind || got.cause != tc.want.cause || got.after != tc.want.after || !strings.Contains(got.text, tc.want.text) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestReadLeavesNoCodeOut(t *testing.T) {
	for code := 400; code < 600; code++ {
		err := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Message: http.StatusText(code)}}
		got := read(err)
		if got.kind == accepted || got.kind == gone {
			t.Errorf("%d is taken for success: %+v", code, got)
		}
		if code >= 500 && got.kind != later {
			t.Errorf("%d is not tried again: %+v", code, got)
		}
	}
}
