// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube"
)

// explain returns the gaps of a view with what takes a further request to know:
// the last words of the first agent that crashes, why no pod could be made, and why the
// first one that only starts gets no sandbox. At most three requests; what they cannot
// tell is left out.
func explain(ctx context.Context, client kubernetes.Interface, v view) []gap {
	gaps := v.gaps()
	if i := slices.IndexFunc(gaps, func(g gap) bool { return g.crashed != "" }); i >= 0 {
		if words := lastWords(ctx, client, gaps[i]); words != "" {
			gaps[i].why += ": " + words
		}
	}
	if i := slices.IndexFunc(gaps, func(g gap) bool { return g.pod != nil && (g.why == starting || g.why == unstarted) }); i >= 0 {
		if why := kube.SandboxFailure(ctx, client, gaps[i].pod); why != "" {
			gaps[i].why = why
		}
	}
	unmade := func(g gap) bool { return g.pod == nil && g.kind == agentOn }
	if v.agents != nil && slices.ContainsFunc(gaps, unmade) {
		if refusal := refusedPod(ctx, client, v); refusal != "" {
			for i, g := range gaps {
				if unmade(g) {
					gaps[i].why = "its pod cannot be made: " + refusal
				}
			}
		}
	}
	return gaps
}

// lastWords are the last lines of the log of a container that crashed.
func lastWords(ctx context.Context, client kubernetes.Interface, g gap) string {
	lines := int64(3)
	for _, previous := range []bool{false, true} {
		raw, err := client.CoreV1().Pods(g.pod.Namespace).GetLogs(g.pod.Name, &corev1.PodLogOptions{
			Container: g.crashed, TailLines: &lines, Previous: previous,
		}).DoRaw(ctx)
		if words := oneLine(string(raw)); err == nil && words != "" {
			return words
		}
	}
	return ""
}

// refusedPod is why the DaemonSet controller could not make a pod: a quota, Pod
// Security, a webhook.
func refusedPod(ctx context.Context, client kubernetes.Interface, v view) string {
	list, err := client.CoreV1().Events(v.target.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.name": v.agents.Name, "reason": "FailedCreate"}.String(),
	})
	if err != nil {
		return ""
	}
	var newest corev1.Event
	for _, e := range list.Items {
		if e.Reason == "FailedCreate" && e.InvolvedObject.UID == v.agents.UID && !e.LastTimestamp.Before(&newest.LastTimestamp) {
			newest = e
		}
	}
	return oneLine(newest.Message)
}
