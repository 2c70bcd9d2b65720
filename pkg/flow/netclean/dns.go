// SPDX-License-Identifier: Apache-2.0

package netclean

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// RestartDNS deletes CoreDNS' pods on hosts that were cleaned, which have no network any
// more and never answer again: those that are made in their place wait for the next one.
func RestartDNS(ctx context.Context, client kubernetes.Interface, results []Result) error {
	state := map[string]State{}
	for _, r := range results {
		state[r.Node] = r.State
	}
	pods, err := client.CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: dnsLabel})
	if err != nil {
		return fmt.Errorf("list the pods of CoreDNS: %w", err)
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		at := state[p.Spec.NodeName]
		// An earlier call may have cleaned a host and been ended before it came to this.
		if at != Cleaned && (at != Nothing || ready(p)) || !stranded(p) {
			continue
		}
		uid := p.UID
		err := client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete pod %s/%s: %w", p.Namespace, p.Name, err)
		}
	}
	return nil
}

func ready(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// stranded reports whether a pod had a network, and a controller makes it again.
func stranded(p *corev1.Pod) bool {
	return !p.Spec.HostNetwork && p.Status.PodIP != "" && p.DeletionTimestamp == nil && metav1.GetControllerOf(p) != nil
}
