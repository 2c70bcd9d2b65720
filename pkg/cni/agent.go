// SPDX-License-Identifier: Apache-2.0

package cni

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
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for _, s := range statuses {
		if why, crashed := containerGap(s); why != "" {
			g.why = why
			if crashed {
				g.crashed = s.Name
			}
			return g
		}
	}
	switch {
	case pod.Status.Message != "":
		g.why = pod.Status.Message
	case pod.Status.Phase == corev1.PodPending && len(statuses) == 0:
		g.why = "its kubelet has not started it yet"
	default:
		g.why = "starting"
	}
	return g
}

// containerGap says why a container keeps its pod from being ready, and whether
// it crashed; empty if it runs, or ended well.
func containerGap(s corev1.ContainerStatus) (why string, crashed bool) {
	last := s.LastTerminationState.Terminated
	switch {
	case s.State.Waiting != nil && last != nil:
		return fmt.Sprintf("container %s crashes (%d restarts, %s)", s.Name, s.RestartCount, ending(last)), true
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		return fmt.Sprintf("container %s ended (%s)", s.Name, ending(s.State.Terminated)), true
	case s.State.Waiting == nil:
		return "", false
	case strings.HasPrefix(s.State.Waiting.Reason, "ErrImage"), strings.HasPrefix(s.State.Waiting.Reason, "ImagePull"), s.State.Waiting.Reason == "InvalidImageName":
		return strings.TrimSuffix(fmt.Sprintf("cannot pull image %s: %s", s.Image, oneLine(s.State.Waiting.Message)), ": "), false
	case s.State.Waiting.Reason == "PodInitializing", s.State.Waiting.Reason == "ContainerCreating":
		// Nothing is wrong: what it waits for is in another container, or on
		// its way.
		return "", false
	}
	return strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", s.Name, s.State.Waiting.Reason, oneLine(s.State.Waiting.Message)), ": "), false
}

func ending(t *corev1.ContainerStateTerminated) string {
	words := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" {
		words += ", " + t.Reason
	}
	if t.Message != "" {
		words += ": " + oneLine(t.Message)
	}
	return words
}

// oneLine shortens what a cluster says to what fits a line of progress.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}
