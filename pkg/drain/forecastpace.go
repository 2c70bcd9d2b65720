// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Pace is how long pods of one controller took from their creation until they
// were Ready.
type Pace struct {
	// Usual is the median, Slowest the longest, of Pods pods.
	Usual   time.Duration
	Slowest time.Duration
	Pods    int
}

// maxSamples bounds what is kept of one controller.
const maxSamples = 32

// sample are the times of some pods of one controller.
type sample struct {
	times []time.Duration
	// anew are those of pods that were restarted: the time at which one became
	// Ready last says less.
	anew []time.Duration
}

func (s *sample) add(pod *corev1.Pod) {
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady || c.LastTransitionTime.IsZero() || pod.CreationTimestamp.IsZero() {
			continue
		}
		took := max(c.LastTransitionTime.Sub(pod.CreationTimestamp.Time), 0)
		switch {
		case restarted(pod) && len(s.anew) < maxSamples:
			s.anew = append(s.anew, took)
		case !restarted(pod) && len(s.times) < maxSamples:
			s.times = append(s.times, took)
		}
	}
}

func restarted(pod *corev1.Pod) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.RestartCount > 0 {
			return true
		}
	}
	return false
}

// pace is false if no pod was ever seen to become Ready.
func (s *sample) pace() (Pace, bool) {
	times := s.times
	if len(times) == 0 {
		times = s.anew
	}
	if len(times) == 0 {
		return Pace{}, false
	}
	slices.Sort(times)
	return Pace{Usual: times[len(times)/2], Slowest: times[len(times)-1], Pods: len(times)}, true
}

// defaultGrace is a pod's time to stop where it names none.
const defaultGrace = 30 * time.Second

// graceOf is the longest that a pod may take to stop.
func graceOf(pod *corev1.Pod, o Options) time.Duration {
	switch {
	case o.GracePeriodSeconds >= 0:
		return time.Duration(o.GracePeriodSeconds) * time.Second
	case pod.DeletionTimestamp != nil && pod.DeletionGracePeriodSeconds != nil:
		return time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
	}
	return defaultGrace
}
