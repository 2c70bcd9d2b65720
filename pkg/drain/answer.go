// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"errors"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// CauseWebhookDown: an admission webhook that has to be asked does not answer.
	CauseWebhookDown Cause = "WebhookDown"
	// CausePolicy: an admission policy denies it.
	CausePolicy Cause = "Policy"
	// CauseQuota: a ResourceQuota denies it.
	CauseQuota Cause = "Quota"
	// CauseAdmission: an admission plugin of the API server denies it.
	CauseAdmission Cause = "Admission"
	// CauseReadOnly: the cluster takes no writes.
	CauseReadOnly Cause = "ReadOnly"
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
	// denial is who denied it and the way out, where the server did.
	denial Denial
}

// read makes sense of the outcome of an eviction (Kubernetes 1.36,
// pkg/registry/core/pod/storage/eviction.go) or a deletion with a UID
// precondition; nil is success.
func read(err error, needs Right) answer {
	if err == nil {
		return answer{kind: accepted, cause: CauseStopping}
	}
	status, ok := asStatus(err)
	if !ok && errors.Is(err, context.Canceled) {
		return answer{kind: later, cause: CauseNotAsked, text: "no answer came"}
	}
	if ok && (apierrors.IsNotFound(err) && names(status, "pods") || apierrors.IsConflict(err) && strings.Contains(status.Message, "UID in")) {
		// Another UID is another pod of the same name; the one meant is gone.
		return answer{kind: gone, cause: CauseStopping, text: status.Message}
	}
	d := ReadDenial(err, needs)
	a := answer{kind: later, cause: d.Cause, text: d.Says, denial: d}
	if !d.MayChange {
		a.kind = never
	}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		a.after = time.Duration(seconds) * time.Second
	}
	return a
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
	case CauseSeveralBudgets:
		return "more than one PodDisruptionBudget matches it"
	case CauseServer, CauseBusy, CausePolicy, CauseWebhook, CauseWebhookDown, CauseQuota, CauseAdmission, CauseReadOnly:
		return a.denial.String()
	case CauseForbidden, CauseRejected, CauseBudget, CauseTurn, CauseReplacement, CauseUncordoned:
	}
	return a.text
}
