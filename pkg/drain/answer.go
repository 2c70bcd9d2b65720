// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Cause says what keeps a pod on the node.
type Cause string

// The causes.
const (
	// CauseBudget: a PodDisruptionBudget allows no disruption now.
	CauseBudget Cause = "Budget"
	// CauseSeveralBudgets: more than one matches, which the eviction API does
	// not support.
	CauseSeveralBudgets Cause = "SeveralBudgets"
	// CauseStopping: it was told to stop and is not gone yet.
	CauseStopping Cause = "Stopping"
	// CauseNamespace: its namespace is being deleted, which deletes the pod.
	CauseNamespace Cause = "NamespaceTerminating"
	// CauseWebhook: an admission webhook denies the eviction, perhaps because
	// it moves the workload itself (KubeVirt, Strimzi).
	CauseWebhook Cause = "Webhook"
	// CauseBusy: the API server asks for patience.
	CauseBusy Cause = "ServerBusy"
	// CauseServer: the API server failed, or could not be reached.
	CauseServer Cause = "ServerError"
	// CauseForbidden: this user may not.
	CauseForbidden Cause = "Forbidden"
	// CauseRejected: the server finds fault with the request itself.
	CauseRejected Cause = "Rejected"
	// CauseReplacement: the pods that were taken from its controller before are
	// not replaced yet.
	CauseReplacement Cause = "Replacement"
	// CauseTurn: other nodes, or other pods, come first.
	CauseTurn Cause = "Turn"
	// CauseUncordoned: its node is schedulable again, or gone.
	CauseUncordoned Cause = "Uncordoned"
	// CauseNotAsked: its turn has not come, or no answer has.
	CauseNotAsked Cause = "NotAsked"
)

// kind is what an answer means for the next step.
type kind int

const (
	// accepted: the pod is stopping.
	accepted kind = iota
	// gone: this pod exists no longer.
	gone
	// later: ask again.
	later
	// never: asking again would change nothing.
	never
)

// answer is the reading of what the server said to one eviction or deletion.
type answer struct {
	kind  kind
	cause Cause
	// text is the server's reason, for a person.
	text string
	// after is how long the server asks to wait; 0 if it does not say.
	after time.Duration
}

var webhookName = regexp.MustCompile(`admission webhook "([^"]+)" denied the request`)

// read makes sense of the outcome of an eviction (Kubernetes 1.36,
// pkg/registry/core/pod/storage/eviction.go) or a deletion with a UID
// precondition; nil is success.
func read(err error) answer {
	if err == nil {
		return answer{kind: accepted, cause: CauseStopping}
	}
	status, ok := asStatus(err)
	if !ok {
		// Not an answer at all: no connection, a broken one, or no time left.
		if errors.Is(err, context.Canceled) {
			return answer{kind: later, cause: CauseNotAsked, text: "no answer came"}
		}
		return answer{kind: later, cause: CauseServer, text: err.Error()}
	}
	a := answer{kind: later, text: status.Message}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		a.after = time.Duration(seconds) * time.Second
	}
	if denied := webhookName.FindStringSubmatch(status.Message); denied != nil {
		a.cause, a.text = CauseWebhook, status.Message
		return a
	}
	switch {
	case apierrors.IsNotFound(err) && names(status, "pods"):
		a.kind, a.cause = gone, CauseStopping
		return a
	case apierrors.IsConflict(err):
		return conflict(a)
	case apierrors.IsTooManyRequests(err):
		return tooMany(a, err)
	}
	return refused(a, err, status)
}

// refused reads an answer that is neither success nor one of those that every
// eviction can meet.
func refused(a answer, err error, status metav1.Status) answer {
	switch code := int(status.Code); {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		a.cause = CauseNamespace
	case code == http.StatusForbidden && names(status, "poddisruptionbudget"):
		a.cause = CauseBudget
	case code == http.StatusForbidden, code == http.StatusUnauthorized:
		a.kind, a.cause = never, CauseForbidden
	case strings.Contains(status.Message, "more than one PodDisruptionBudget"):
		a.cause = CauseSeveralBudgets
	case code >= http.StatusInternalServerError, code == http.StatusRequestTimeout, code == 0:
		a.cause = CauseServer
	default:
		a.kind, a.cause = never, CauseRejected
	}
	return a
}

// conflict is either another pod of the same name, so that the one meant is
// gone, or a race with another writer.
func conflict(a answer) answer {
	if strings.Contains(a.text, "UID in") {
		a.kind, a.cause = gone, CauseStopping
		return a
	}
	a.cause = CauseServer
	return a
}

// tooMany tells a budget that refuses from a server that is busy.
func tooMany(a answer, err error) answer {
	if cause, ok := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause); ok {
		a.cause, a.text = CauseBudget, cause.Message
		return a
	}
	if strings.Contains(a.text, "disruption budget") {
		a.cause = CauseBudget
		return a
	}
	a.cause = CauseBusy
	return a
}

func asStatus(err error) (metav1.Status, bool) {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status(), true
	}
	return metav1.Status{}, false
}

// names reports whether the status is about a resource of that kind, and not
// about a path or a namespace that does not exist.
func names(status metav1.Status, kind string) bool {
	return status.Details != nil && strings.EqualFold(status.Details.Kind, kind)
}

// sentence is the answer as part of a longer text.
func (a answer) sentence() string {
	switch a.cause {
	case CauseStopping:
		return "stopping"
	case CauseNamespace:
		return "its namespace is being deleted"
	case CauseNotAsked:
		return choose(a.text == "", "not asked yet", a.text)
	case CauseServer:
		return "the API server has trouble: " + a.text
	case CauseBusy:
		return "the API server is busy: " + a.text
	case CauseSeveralBudgets:
		return "more than one PodDisruptionBudget matches it"
	case CauseForbidden, CauseRejected, CauseBudget, CauseWebhook, CauseTurn, CauseReplacement, CauseUncordoned:
	}
	return fmt.Sprint(a.text)
}
