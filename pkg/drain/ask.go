// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// maxInFlight bounds the requests under way at once. The server's Priority
	// and Fairness does the rest.
	maxInFlight = 32
	// patience is how long one request may take: the server itself waits up to
	// 10 s for a contended budget, and webhooks may take 30 s.
	patience = time.Minute
)

// asker sends one request per call and never repeats it: client-go would heed a
// Retry-After silently, up to ten times, and hide why.
type asker struct {
	client kubernetes.Interface
	opts   Options
	dryRun bool
}

// ask evicts or deletes the pod of the verdict, and no other of its name.
func (a asker) ask(ctx context.Context, v Verdict) error {
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
	if v.Action == ActionDelete {
		return a.delete(ctx, v, options)
	}
	return a.evict(ctx, v, options)
}

// rightFor is what an action needs.
func rightFor(action Action) Right {
	if action == ActionDelete {
		return Right{"delete", "pods"}
	}
	return Right{"create", "pods/eviction"}
}

func (a asker) evict(ctx context.Context, v Verdict, options metav1.DeleteOptions) error {
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

func (a asker) delete(ctx context.Context, v Verdict, options metav1.DeleteOptions) error {
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

// Rehearsal is the server's answer to a request that changes nothing.
type Rehearsal struct {
	Pod
	// Allowed is true if the server would let the pod go now.
	Allowed bool `json:"allowed"`
	// Cause and Why say what would keep it; empty if Allowed.
	Cause Cause  `json:"cause,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Rehearse asks the server once for every pod that would be evicted or deleted,
// as a dry run, and returns the answers in the order of the decision. It never
// asks twice. A dry run spends nothing of a budget, so several pods may be
// allowed where only one could go. The error is that of an ended context.
func Rehearse(ctx context.Context, client kubernetes.Interface, d Decision, o Options) ([]Rehearsal, error) {
	a := asker{client: client, opts: o, dryRun: true}
	pods := d.with(ActionEvict, ActionDelete)
	out := make([]Rehearsal, len(pods))
	var group errgroup.Group
	group.SetLimit(maxInFlight)
	for i, v := range pods {
		group.Go(func() error {
			out[i] = Rehearsal{Pod: v.Pod, Allowed: true}
			if said := read(a.ask(ctx, v), rightFor(v.Action)); said.kind == later || said.kind == never {
				out[i] = Rehearsal{Pod: v.Pod, Cause: said.cause, Why: said.sentence()}
				if said.cause == CauseSeveralBudgets && len(v.Budgets) > 1 {
					out[i].Why += " (" + budgetNames(v.Budgets) + ")"
				}
			}
			return nil
		})
	}
	_ = group.Wait() // no goroutine returns an error
	return out, context.Cause(ctx)
}
