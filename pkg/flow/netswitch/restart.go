// SPDX-License-Identifier: Apache-2.0

package netswitch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/access"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

const (
	// pause is between two looks at pods that are to be restarted.
	pause = 3 * time.Second
	// page is how many pods are listed at a time.
	page = 500
)

// fate is what is done with a pod that may have the old network.
type fate int

const (
	leave  fate = iota // it has the new one, or none to lose
	evict              // it may serve: its budgets decide when
	remove             // it is not Ready and cannot become so: its network is gone
	name               // no controller would make it again
)

// fateOf decides about a pod, and is pure. A pod that is not Ready counts in no budget as
// healthy, and an eviction of it may be refused for as long as the budget is not met
// (IfHealthyBudget), which it never is before such pods are restarted.
func fateOf(p *corev1.Pod, installed time.Time) fate {
	ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
	_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case p.Spec.HostNetwork || ended || p.Status.PodIP == "" || p.DeletionTimestamp != nil || !since(p).Before(installed):
		return leave
	case mirror || metav1.GetControllerOf(p) == nil:
		return name
	case is(p, corev1.PodReady):
		return evict
	}
	return remove
}

// since is when a pod got its network, or earlier, by the API server's clock: when it was
// made, and then as long as its host has taken until its sandbox was ready. Both times of
// that are the host's own, whose clock may be ahead or behind.
func since(p *corev1.Pod) time.Time {
	at := p.CreationTimestamp.Time
	if p.Status.StartTime == nil {
		return at
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers && c.Status == corev1.ConditionTrue && c.LastTransitionTime.After(p.Status.StartTime.Time) {
			return at.Add(c.LastTransitionTime.Sub(p.Status.StartTime.Time))
		}
	}
	return at
}

func is(p *corev1.Pod, condition corev1.PodConditionType) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == condition && c.Status == corev1.ConditionTrue
	})
}

// RestartDNS deletes CoreDNS' pods that have no network any more: the new network is found
// to work only once DNS does, and they never answer again.
func RestartDNS(ctx context.Context, client kubernetes.Interface, installed time.Time) error {
	pods, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return fmt.Errorf("list the pods of CoreDNS: %w", err)
	}
	for i := range pods.Items {
		if f := fateOf(&pods.Items[i], installed); f == evict || f == remove {
			if err := discard(ctx, client, &pods.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Allowed refuses, before anything is changed, what may not be done with pods and with the
// state. What else a switch takes, its parts ask for.
func Allowed(ctx context.Context, client kubernetes.Interface) error {
	return access.Require(ctx, client, []access.Need{
		{Verb: "list", Resource: "pods"},
		{Verb: "delete", Resource: "pods"},
		{Verb: "create", Resource: "pods", Subresource: "eviction"},
		{Verb: "create", Resource: "configmaps", Namespace: namespace},
	})
}

// Restarted is what became of the pods from before.
type Restarted struct {
	// Pods is how many were evicted or deleted.
	Pods int `json:"pods"`
	// Bare are those that no controller makes again: they have no network, and stay.
	Bare []string `json:"withoutController,omitempty"`
	// Held are those that were not let go, by their budgets or by what else, and why.
	Held map[string]string `json:"held,omitempty"`
}

// RestartPods has the pods from before restarted, within their budgets, until none is left
// or the context ends: then what is left is held, and no error.
func RestartPods(ctx context.Context, client kubernetes.Interface, installed time.Time, report plan.Report) (Restarted, error) {
	out := Restarted{}
	for {
		pods, err := old(ctx, client, installed)
		if err != nil {
			return out, err
		}
		out.Bare, out.Held = nil, map[string]string{}
		for _, p := range pods {
			key := p.Namespace + "/" + p.Name
			if fateOf(p, installed) == name {
				out.Bare = append(out.Bare, key)
				continue
			}
			switch err := restart(ctx, client, p, installed); {
			case err != nil && ctx.Err() != nil:
				out.Held[key] = "the time is over"
			case err != nil: // a budget, or a webhook: the others have no network either
				out.Held[key] = err.Error()
			default:
				out.Pods++
			}
		}
		if len(out.Held) == 0 {
			return out, nil
		}
		names := slices.Sorted(maps.Keys(out.Held))
		report("%s from before not let go: %s (%s)", text.Count(len(names), "pod"), text.Some(names), out.Held[names[0]])
		select {
		case <-ctx.Done():
			return out, nil
		case <-time.After(pause):
		}
	}
}

// Before names the pods that may have the old network, as namespace/name.
func Before(ctx context.Context, client kubernetes.Interface, installed time.Time) (names []string, err error) {
	pods, err := old(ctx, client, installed)
	for _, p := range pods {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return names, err
}

// old lists the pods that may have the old network, sorted.
func old(ctx context.Context, client kubernetes.Interface, installed time.Time) ([]*corev1.Pod, error) {
	var out []*corev1.Pod
	err := kube.Pages(metav1.ListOptions{Limit: page}, func(query metav1.ListOptions) (string, error) {
		list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, query)
		if err != nil {
			return "", kube.UnreadList(err, "pods")
		}
		if query.Continue == "" {
			out = nil
		}
		for i := range list.Items {
			if fateOf(&list.Items[i], installed) != leave {
				out = append(out, &list.Items[i])
			}
		}
		return list.Continue, nil
	})
	return out, err
}

// restart evicts a pod that may serve, and deletes one that cannot; the error says what
// holds it.
func restart(ctx context.Context, client kubernetes.Interface, p *corev1.Pod, installed time.Time) error {
	if fateOf(p, installed) == remove {
		return discard(ctx, client, p)
	}
	uid := p.UID
	err := client.CoreV1().Pods(p.Namespace).EvictV1(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("evict it: %w", err)
}

// discard deletes this very pod.
func discard(ctx context.Context, client kubernetes.Interface, p *corev1.Pod) error {
	uid := p.UID
	err := client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}
