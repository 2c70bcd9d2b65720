// SPDX-License-Identifier: Apache-2.0

package arrival

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/check"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/watch"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// node is the Node of the host that is followed; nil if there is none.
func (f *follower) node() *corev1.Node {
	if f.nodes == nil {
		return nil
	}
	obj, _, err := f.nodes.GetByKey(f.name)
	if err != nil {
		return nil
	}
	node, _ := obj.(*corev1.Node)
	return node
}

// arrived says whether the host has come as far as it will: its node is Ready,
// and no taint is on it that others are about to take off, or they have had
// their time.
func (f *follower) arrived() bool {
	if f.arrival.Stage != Ready {
		return false
	}
	node := f.node()
	return node == nil || time.Since(f.since) >= check.UntaintTimeout ||
		!slices.ContainsFunc(check.Barriers(node, nil), func(b check.Barrier) bool { return b.Passes })
}

func (f *follower) podsOn() []*corev1.Pod {
	if f.pods == nil {
		return nil
	}
	var pods []*corev1.Pod
	for _, obj := range f.pods.List() {
		if pod, ok := obj.(*corev1.Pod); ok && pod.Spec.NodeName == f.name {
			pods = append(pods, pod)
		}
	}
	return pods
}

// once reports something that is worth saying one time.
func (f *follower) once(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !f.told[text] {
		f.told[text] = true
		f.report("%s", text)
	}
}

// remind says that the wait goes on: for what, for how long, what would help.
func (f *follower) remind(ctx context.Context) {
	if f.arrival.Stage == Requested {
		if why := f.unapproved(ctx); why != "" {
			f.arrival.Hint = why
		}
	}
	if f.arrival.Stage == Registered && f.askSandboxes(ctx) {
		_ = f.look(ctx) // what keeps it from looking, the next look says
	}
	a := f.arrival
	if a.Stage == Ready {
		f.report("%s (%s)", sentence(a), watch.Span(time.Since(f.since)))
		return
	}
	f.report("%s (%s; %s)", sentence(a), watch.Span(time.Since(f.since)), a.Hint)
}

// askSandboxes asks why the first network agent that is starting gets no sandbox: of that
// the pod itself says nothing. It reports whether there is news.
func (f *follower) askSandboxes(ctx context.Context) bool {
	agents := agentsOf(f.podsOn())
	i := slices.IndexFunc(agents, func(pod *corev1.Pod) bool { return vague(unready(pod)) })
	if i < 0 {
		return false
	}
	why, uid := kube.SandboxFailure(ctx, f.client, agents[i]), agents[i].UID
	if why == f.sandbox[uid] {
		return false
	}
	f.sandbox = map[types.UID]string{uid: why}
	return true
}

// unapproved asks the question that csrapproving asks about a pending request,
// and says if the answer is the reason. Empty means that it is not.
func (f *follower) unapproved(ctx context.Context) string {
	spec := f.request.Spec
	extra := make(map[string]authorizationv1.ExtraValue, len(spec.Extra))
	for key, value := range spec.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: spec.Username, UID: spec.UID, Groups: spec.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Verb: "create", Subresource: "nodeclient", Version: "*",
		},
	}}
	got, err := f.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil || got.Status.Allowed {
		return ""
	}
	return "it may not be approved by itself, for want of clusterrolebinding kubeadm:node-autoapprove-bootstrap; by hand: kubectl " +
		"certificate approve " + text.Quote(f.request.Name)
}

// gaveUp is the error of a wait that was ended from outside.
func (f *follower) gaveUp(ctx context.Context) error {
	a := f.arrival
	if a.Stage == Ready && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil // what was asked for has come
	}
	if a.Node == "" {
		return watch.Ended(ctx, "a host that uses token "+f.wanted.Token.ID, a.Hint)
	}
	return watch.Ended(ctx, fmt.Sprintf("host %s to be Ready: %s", a.Node, a.Reason), a.Hint)
}

// sentence is an arrival in one line.
func sentence(a Arrival) string {
	switch a.Stage {
	case Awaited:
		return "waiting for the host: " + a.Reason
	case Ready:
		words := "host " + a.Node + " is Ready"
		if len(a.Away) > 0 {
			words += ", but " + a.Away[0].Text
		}
		return words
	case Requested, Approved, Issued, Registered:
	}
	return fmt.Sprintf("host %s is not Ready: %s", a.Node, a.Reason)
}

// isTaken says whether a node was another host's, and Ready, before a host
// asked for its name. Both times of creation are the API server's; the last
// transition is the other host's own, good enough to leave out a host that
// became Ready while it was not followed.
func isTaken(node *corev1.Node, r request) bool {
	return kube.NodeReady(node) &&
		node.CreationTimestamp.Before(&r.CreationTimestamp) &&
		kube.ReadyCondition(node).LastTransitionTime.Before(&r.CreationTimestamp)
}
