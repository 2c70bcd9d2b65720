// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"fmt"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// maxSaid bounds what is shown of a message that a policy or a webhook wrote.
const maxSaid = 300

// Right is what a write needs: the verb and the resource, "patch" and "nodes".
type Right struct{ Verb, Resource string }

// Denial is why the API server did not do a write. A policy that denies is no
// lack of rights, and a webhook that is down is no fault of the server.
type Denial struct {
	// Cause is what kind of denial it is.
	Cause Cause
	// By names who denies: "ValidatingAdmissionPolicy no-eviction (binding
	// no-eviction)"; empty if that is the API server itself.
	By string
	// Says is the reason in the words of who denies, in one line.
	Says string
	// WayOut is what a person can do about it.
	WayOut string
	// MayChange is true if the same write may succeed later.
	MayChange bool
	// Webhook is the name of the webhook that denies or cannot be reached, and
	// Service (namespace/name) what serves it, as far as the server tells.
	Webhook, Service string
}

// ReadDenial makes sense of the error of a write that needs a right. What the
// server says in the form of data is looked at first: code, reason and causes;
// its message only then. It is pure. A nil error gives an empty Denial.
func ReadDenial(err error, needs Right) Denial {
	status, ok := kube.StatusOf(err)
	switch {
	case err == nil:
		return Denial{}
	case !ok:
		return withWayOut(Denial{Cause: CauseServer, Says: text.Short(err.Error(), maxSaid), MayChange: true}, needs)
	}
	d := admission(status)
	if d.Cause == "" {
		d = plain(status)
	}
	if d.Says == "" {
		d.Says = text.Short(status.Message, maxSaid)
	}
	return withWayOut(d, needs)
}

// String is the denial as part of a longer text: "ValidatingAdmissionPolicy
// freeze (binding freeze) denies it: not this week".
func (d Denial) String() string {
	switch d.Cause {
	case CausePolicy, CauseWebhook:
		return d.By + " denies it: " + d.Says
	case CauseWebhookDown:
		return d.By + " cannot be asked: " + d.Says
	case CauseQuota:
		return "a ResourceQuota denies it: " + d.Says
	case CauseAdmission:
		return text.Choose(d.By == "", "the API server's admission", d.By) + " denies it: " + d.Says
	case CauseReadOnly:
		return "the cluster takes no writes: " + d.Says
	case CauseServer:
		return "the API server has trouble: " + d.Says
	case CauseBusy:
		return "the API server is busy: " + d.Says
	default:
		return d.Says
	}
}

// Forbids reports whether someone else than the server's own state stands in the way: a right
// that is missing, a policy, a webhook or an admission plugin. It does not go away by itself.
func (d Denial) Forbids() bool {
	switch d.Cause {
	case CauseForbidden, CausePolicy, CauseWebhook, CauseWebhookDown, CauseAdmission, CauseQuota:
		return true
	default:
		return false
	}
}

// forGood reports whether the server refused, as opposed to failed.
func (d Denial) forGood() bool {
	return d.Cause != CauseServer && d.Cause != CauseBusy && d.Cause != CauseReadOnly
}

// deniedError is the error of a write that was denied, with the reading of why.
type deniedError struct {
	Denial
	what string
	err  error
}

// Error says what was to be done and why it was not.
func (e *deniedError) Error() string { return e.what + ": " + e.String() }

// Unwrap is the server's own error.
func (e *deniedError) Unwrap() error { return e.err }

// Denied is the error of a write ("cordon node \"w1\"") that needs a right and
// that the server did not do: of class plan.Refused if something denies it, and
// with the way out in every case; nil if err is.
func Denied(what string, err error, needs Right) error {
	if err == nil {
		return nil
	}
	d := ReadDenial(err, needs)
	return d.Err(what, err)
}

// Err is the error of a write ("cordon node \"w1\"") that was denied in this way.
func (d Denial) Err(what string, err error) error {
	if _, answered := kube.StatusOf(err); !answered {
		return fmt.Errorf("%s: %w", what, err) // the caller says what to do about connections
	}
	out := plan.Hint(&deniedError{Denial: d, what: what, err: err}, "%s", d.WayOut)
	if d.forGood() {
		return plan.As(plan.Refused, out)
	}
	return out
}

// plain reads what no policy and no webhook said.
func plain(status metav1.Status) Denial {
	code, said := int(status.Code), unframed(status.Message)
	switch {
	case caused(status, func(c metav1.StatusCause) bool { return c.Type == corev1.NamespaceTerminatingCause }):
		return Denial{Cause: CauseNamespace, Says: "its namespace is being deleted", MayChange: true}
	case budgetCause(status) != nil:
		return Denial{Cause: CauseBudget, Says: text.Short(budgetCause(status).Message, maxSaid), MayChange: true}
	case code == http.StatusForbidden && kube.About(status, "poddisruptionbudget"),
		code == http.StatusTooManyRequests && strings.Contains(said, "disruption budget"):
		return Denial{Cause: CauseBudget, MayChange: true}
	case code == http.StatusTooManyRequests:
		return Denial{Cause: CauseBusy, MayChange: true}
	case strings.Contains(said, "more than one PodDisruptionBudget"):
		return Denial{Cause: CauseSeveralBudgets, MayChange: true}
	case code == http.StatusUnauthorized:
		return Denial{Cause: CauseForbidden}
	case code == http.StatusForbidden:
		return forbidden(status, said)
	case code == http.StatusConflict, code == http.StatusRequestTimeout, code == 0:
		return Denial{Cause: CauseServer, MayChange: true}
	case code >= http.StatusInternalServerError && readOnly(said):
		return Denial{Cause: CauseReadOnly, MayChange: true}
	case code >= http.StatusInternalServerError:
		return Denial{Cause: CauseServer, MayChange: true}
	}
	return Denial{Cause: CauseRejected}
}

// readOnly reports whether etcd takes no writes: its alarm NOSPACE is raised
// (etcd 3.5, rpctypes), or it has lost its quorum's trust.
func readOnly(said string) bool {
	return strings.Contains(said, "mvcc: database space exceeded") || strings.Contains(said, "etcdserver: corrupt cluster")
}

// forbidden tells a missing right from what the server's own admission plugins
// deny, which is the same code and reason (Kubernetes 1.35 to 1.37,
// admission.NewForbidden and responsewriters.Forbidden).
func forbidden(status metav1.Status, said string) Denial {
	switch {
	case strings.HasPrefix(said, "User "), said == "", status.Details == nil,
		caused(status, func(c metav1.StatusCause) bool { return c.Type == metav1.CauseTypeUnexpectedServerResponse }):
		// Also what a proxy in front of the server says, which is no Status.
		return Denial{Cause: CauseForbidden}
	case strings.HasPrefix(said, "not yet ready to handle request"):
		return Denial{Cause: CauseServer, MayChange: true}
	case strings.HasPrefix(said, "admission control is denying all modifications"):
		return Denial{Cause: CauseReadOnly, Says: "its admission plugin AlwaysDeny denies all modifications", MayChange: true}
	case strings.HasPrefix(said, "violates PodSecurity "):
		return Denial{Cause: CauseAdmission, By: "PodSecurity", Says: text.Short(strings.TrimPrefix(said, "violates "), maxSaid), MayChange: true}
	case nodeRestricted(said):
		return Denial{Cause: CauseAdmission, By: "NodeRestriction", Says: text.Short(said, maxSaid)}
	}
	for _, quota := range []string{"exceeded quota: ", "failed quota: ", "status unknown for quota: ", "insufficient quota to consume: ",
		"quota usage is negative"} {
		if strings.HasPrefix(said, quota) {
			return Denial{Cause: CauseQuota, Says: text.Short(said, maxSaid), MayChange: true}
		}
	}
	return Denial{Cause: CauseAdmission, Says: text.Short(said, maxSaid), MayChange: true}
}

// nodeRestricted reports whether the server took the caller for a kubelet.
func nodeRestricted(said string) bool {
	return strings.HasPrefix(said, `node "`) && (strings.Contains(said, " can only ") || strings.Contains(said, " is not allowed to ") ||
		strings.Contains(said, " cannot ")) ||
		strings.HasPrefix(said, "could not determine node from user ")
}

// unframed is a message without the frame that says what was asked for, and the one
// of an internal error: `nodes "w1" is forbidden: `.
func unframed(message string) string {
	if before, after, framed := strings.Cut(message, " is forbidden: "); framed && !strings.ContainsAny(before, "\n") && len(before) < 400 {
		message = after
	}
	message = strings.TrimPrefix(message, "forbidden: ")
	return strings.TrimPrefix(message, "Internal error occurred: ")
}

func caused(status metav1.Status, is func(metav1.StatusCause) bool) bool {
	if status.Details == nil {
		return false
	}
	for _, cause := range status.Details.Causes {
		if is(cause) {
			return true
		}
	}
	return false
}

// budgetCause is the cause by which the server names a budget. Since Kubernetes
// 1.37 it has more than one type for those (kubernetes/kubernetes#138003), which
// all begin alike.
func budgetCause(status metav1.Status) *metav1.StatusCause {
	if status.Details == nil {
		return nil
	}
	for i, cause := range status.Details.Causes {
		if strings.HasPrefix(string(cause.Type), string(policyv1.DisruptionBudgetCause)) {
			return &status.Details.Causes[i]
		}
	}
	return nil
}

// withWayOut completes a denial.
func withWayOut(d Denial, needs Right) Denial {
	if d.WayOut == "" {
		d.WayOut = d.wayOut(needs)
	}
	return d
}

// wayOut is what a person can do, where admission itself has not said it.
func (d Denial) wayOut(needs Right) string {
	switch d.Cause {
	case CauseForbidden:
		return fmt.Sprintf("ask for the verb %s on %s; '%s' shows whether you have it", needs.Verb, needs.Resource, canI(needs))
	case CauseAdmission:
		switch d.By {
		case "NodeRestriction":
			return "use the credentials of a person: those that were used are a kubelet's"
		case "PodSecurity":
			return "see what the namespace allows: kubectl get namespaces -L pod-security.kubernetes.io/enforce"
		}
		return fmt.Sprintf("an admission plugin of the API server denies it, not your rights ('%s' shows those); see its "+
			"--enable-admission-plugins, or ask who runs it", canI(needs))
	case CauseQuota:
		return "see what is used: kubectl get resourcequotas -A"
	case CauseReadOnly:
		return "see etcd's alarms (etcdctl alarm list), free space in it, then: etcdctl alarm disarm"
	case CauseServer, CauseBusy:
		return "see which check of the API server fails: kubectl get --raw '/readyz?verbose'"
	case CauseRejected:
		return "the API server rejected the request: check the flags that it was made from"
	case CauseNamespace:
		return "see what holds the namespace: kubectl get namespaces"
	case CausePolicy, CauseWebhook, CauseWebhookDown: // admission has said it
	case CauseBudget, CauseSeveralBudgets:
		return "see the budgets: kubectl get pdb -A"
	default:
	}
	return "the same command again"
}

// canI is the command that shows whether one has a right.
func canI(needs Right) string {
	resource, sub, has := strings.Cut(needs.Resource, "/")
	words := []string{"kubectl", "auth", "can-i", needs.Verb, resource}
	if has {
		words = append(words, "--subresource="+sub)
	}
	return text.Command(append(words, "-A")...)
}
