// SPDX-License-Identifier: Apache-2.0

package health

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// agentGap says why an agent is not ready; no reason if it is.
func agentGap(pod *corev1.Pod) gap {
	if pod == nil {
		return gap{why: "no pod has been made for it yet"}
	}
	g := gap{pod: pod}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
			return g
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			g.why = "not scheduled: " + c.Message
			return g
		}
	}
	return g.ofContainers(pod)
}

// ofContainers is the gap of a pod that is scheduled and not Ready.
func (g gap) ofContainers(pod *corev1.Pod) gap {
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for i, s := range statuses {
		if why, kind := containerGap(s, i < len(pod.Status.InitContainerStatuses)); why != "" {
			g.why, g.unpulled = why, kind == unpulled
			switch kind {
			case crashed:
				g.crashed = s.Name
			case unpulled:
				g.unpulledImage = s.Image
			case other:
			}
			return g
		}
	}
	switch {
	case pod.Status.Message != "":
		g.why = pod.Status.Message
	case pod.Status.Phase == corev1.PodPending && len(statuses) == 0:
		g.why = unstarted
	default:
		g.why = starting
	}
	return g
}

// What a pod is of which its status says nothing more.
const (
	unstarted = "its kubelet has not started it yet"
	starting  = "starting"
)

// trouble is the kind of a container's trouble.
type trouble int

const (
	other trouble = iota
	crashed
	unpulled
)

// containerGap says why a container keeps its pod from being ready; empty if it
// runs, or has not begun. Only one that prepares may end, and only well.
func containerGap(s corev1.ContainerStatus, prepares bool) (why string, kind trouble) {
	last, now := s.LastTerminationState.Terminated, s.State.Terminated
	switch {
	case s.State.Waiting != nil && last != nil:
		return crash(s, last), crashed
	case now != nil && (now.ExitCode != 0 || !prepares):
		return crash(s, now), crashed
	case s.State.Waiting == nil:
		return "", other
	}
	message := strings.Join(strings.Fields(s.State.Waiting.Message), " ")
	switch reason := s.State.Waiting.Reason; reason {
	case "PodInitializing", "ContainerCreating":
		// Nothing is wrong: what it waits for is in another container, or on
		// its way.
		return "", other
	case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable":
		return strings.TrimSuffix(fmt.Sprintf("cannot pull image %s: %s", s.Image, oneLine(pullCause(message))), ": "), unpulled
	default:
		return strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", s.Name, reason, oneLine(message)), ": "), other
	}
}

// pullCause leaves out what the kubelet and containerd put before the cause of
// a failed pull, so that backing off is not another cause than failing:
//
//	Back-off pulling image "x": ErrImagePull: failed to pull and unpack image "x":
//	failed to resolve reference "x": failed to do request: Head "https://…": dial tcp: no such host
//	→ dial tcp: no such host
func pullCause(message string) string {
	for _, before := range []string{"ErrImagePull: ", "failed to resolve reference ", "failed to do request: "} {
		if _, after, ok := strings.Cut(message, before); ok {
			message = after
		}
	}
	// What is left may begin with the reference or the request, quoted.
	for _, verb := range []string{"Head ", "Get "} {
		message = strings.TrimPrefix(message, verb)
	}
	if strings.HasPrefix(message, `"`) {
		if _, after, ok := strings.Cut(message, `": `); ok {
			message = after
		}
	}
	return message
}

// crash says how a container ended. Not how often: that changes all the time,
// and every change is a line of progress.
func crash(s corev1.ContainerStatus, t *corev1.ContainerStateTerminated) string {
	words := fmt.Sprintf("container %s crashes (exit code %d", s.Name, t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" {
		words += ", " + t.Reason
	}
	if t.Message != "" {
		words += ": " + oneLine(t.Message)
	}
	return words + ")"
}

// oneLine shortens what a cluster says to what fits a line of progress.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}
