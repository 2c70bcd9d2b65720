// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
)

// WatchLostAfter is how long an agent is ready before a runtime that has not seen
// its configuration has lost its watch: it reads a new file at once.
const WatchLostAfter = time.Minute

// State is how one agent is.
type State struct {
	Ready bool
	// Why is why it is not ready.
	Why string
	// Crashed names the container whose log tells more; empty if none crashed.
	Crashed string
	// Unpulled is an image that could not be pulled.
	Unpulled string
}

// AgentOf says how an agent is; one that is not there is nil.
func AgentOf(pod *corev1.Pod) State {
	g := agentGap(pod)
	return State{Ready: g.why == "", Why: g.why, Crashed: g.crashed, Unpulled: g.unpulledImage}
}

// NodeOf is the node of an agent, or the one that its DaemonSet made it for.
func NodeOf(pod *corev1.Pod) string { return targetNode(pod) }

// Inner is the heart of what a kubelet says of its network.
func Inner(message string) string { return inner(message) }

// LastWords are the last lines of the log of a container that crashed; empty if they
// cannot be read.
func LastWords(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, container string) string {
	return lastWords(ctx, client, gap{pod: pod, crashed: container})
}

// ReadyFor says whether a pod has been ready for so long.
func ReadyFor(pod *corev1.Pod, long time.Duration) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && time.Since(c.LastTransitionTime.Time) > long && !c.LastTransitionTime.IsZero()
		}
	}
	return false
}
