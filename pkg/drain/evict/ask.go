// SPDX-License-Identifier: Apache-2.0

package evict

import (
	"context"
	"errors"
	"strings"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
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
	cause drain.Cause
	// text is the server's reason, for a person.
	text string
	// after is how long the server asks to wait; 0 if it does not say.
	after time.Duration
	// denial is who denied it and the way out, where the server did.
	denial drain.Denial
}

// read makes sense of the outcome of an eviction (Kubernetes 1.36,
// pkg/registry/core/pod/storage/eviction.go) or a deletion with a UID
// precondition; nil is success.
func read(err error, needs drain.Right) answer {
	if err == nil {
		return answer{kind: accepted, cause: drain.CauseStopping}
	}
	status, ok := kube.StatusOf(err)
	if !ok && errors.Is(err, context.Canceled) {
		return answer{kind: later, cause: drain.CauseNotAsked, text: "no answer came"}
	}
	if ok && (apierrors.IsNotFound(err) && kube.About(status, "pods") || apierrors.IsConflict(err) &&
		strings.Contains(status.Message, "UID in")) {
		// Another UID is another pod of the same name; the one meant is gone.
		return answer{kind: gone, cause: drain.CauseStopping, text: status.Message}
	}
	d := drain.ReadDenial(err, needs)
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
	case drain.CauseStopping:
		return "stopping"
	case drain.CauseNamespace:
		return "its namespace is being deleted"
	case drain.CauseNotAsked:
		return text.Choose(a.text == "", "not asked yet", a.text)
	case drain.CauseSeveralBudgets:
		return "more than one PodDisruptionBudget matches it"
	case drain.CauseServer, drain.CauseBusy, drain.CausePolicy, drain.CauseWebhook, drain.CauseWebhookDown, drain.CauseQuota,
		drain.CauseAdmission, drain.CauseReadOnly:
		return a.denial.String()
	case drain.CauseForbidden, drain.CauseRejected, drain.CauseBudget, drain.CauseTurn, drain.CauseReplacement, drain.CauseUncordoned,
		drain.CauseSurgeUndone:
	}
	return a.text
}

const (
	// maxInFlight bounds the requests under way at once. The server's Priority
	// and Fairness does the rest.
	maxInFlight = 32
	// patience is how long one request may take: the server itself waits up to
	// 10 s for a contended budget, and webhooks may take 30 s.
	patience = time.Minute
)

// asker sends one request per call and never repeats it: client-go would obey a
// Retry-After silently, up to ten times, and hide why.
type asker struct {
	client kubernetes.Interface
	opts   drain.Options
	dryRun bool
}

// ask evicts or deletes the pod of the verdict, and no other of its name.
func (a asker) ask(ctx context.Context, v drain.Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &v.UID}}
	if a.opts.GracePeriodSeconds >= 0 {
		grace := int64(a.opts.GracePeriodSeconds)
		options.GracePeriodSeconds = &grace
	}
	if a.dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	if v.Action == drain.ActionDelete {
		return a.delete(ctx, v, options)
	}
	return a.evict(ctx, v, options)
}

// rightFor is what an action needs.
func rightFor(action drain.Action) drain.Right {
	if action == drain.ActionDelete {
		return drain.Right{Verb: "delete", Resource: "pods"}
	}
	return drain.Right{Verb: "create", Resource: "pods/eviction"}
}

func (a asker) evict(ctx context.Context, v drain.Verdict, options metav1.DeleteOptions) error {
	eviction := &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: v.Namespace, Name: v.Name},
		DeleteOptions: &options,
	}
	client := a.client.PolicyV1()
	if !isReal(client.RESTClient()) {
		return client.Evictions(v.Namespace).Evict(ctx, eviction)
	}
	return client.RESTClient().Post().
		AbsPath("/api/v1").Namespace(v.Namespace).Resource("pods").Name(v.Name).SubResource("eviction").
		Body(eviction).MaxRetries(0).Do(ctx).Error()
}

func (a asker) delete(ctx context.Context, v drain.Verdict, options metav1.DeleteOptions) error {
	client := a.client.CoreV1()
	if !isReal(client.RESTClient()) {
		return client.Pods(v.Namespace).Delete(ctx, v.Name, options)
	}
	return client.RESTClient().Delete().
		Namespace(v.Namespace).Resource("pods").Name(v.Name).
		Body(&options).MaxRetries(0).Do(ctx).Error()
}

// isReal tells a client that speaks HTTP from client-go's fake, which hands out
// a nil one.
func isReal(client rest.Interface) bool {
	c, isRest := client.(*rest.RESTClient)
	return !isRest || c != nil
}
