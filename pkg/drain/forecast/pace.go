// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/drain"
)

// Pace is how long pods of one controller took from their creation until they
// were Ready.
type Pace struct {
	// Usual is the median, Slowest the longest, of Pods pods.
	Usual   time.Duration
	Slowest time.Duration
	Pods    int
}

// maxSamples bounds what is kept of one controller; there may be very many.
const maxSamples = 15

// sample are the times of some pods of one controller, in seconds.
type sample struct {
	times [maxSamples]float32
	n     int8
	// restarts is true if they are of pods that were restarted: the time at
	// which such a pod became Ready last says less, so one that was not restarted
	// drives them out.
	restarts bool
}

func (s *sample) add(pod *corev1.Pod) {
	again := restarted(pod)
	if again && !s.restarts && s.n > 0 {
		return
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady || c.LastTransitionTime.IsZero() || pod.CreationTimestamp.IsZero() {
			continue
		}
		if s.restarts && !again {
			s.n = 0
		}
		s.restarts = again
		if s.n < maxSamples {
			s.times[s.n] = float32(max(c.LastTransitionTime.Sub(pod.CreationTimestamp.Time), 0).Seconds())
			s.n++
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
	if s.n == 0 {
		return Pace{}, false
	}
	times := s.times[:s.n]
	slices.Sort(times)
	of := func(seconds float32) time.Duration { return time.Duration(seconds * float32(time.Second)) }
	return Pace{Usual: of(times[len(times)/2]), Slowest: of(times[len(times)-1]), Pods: len(times)}, true
}

// defaultGrace is a pod's time to stop where it names none.
const defaultGrace = 30 * time.Second

// graceOf is the longest that a pod may take to stop.
func graceOf(pod *corev1.Pod, o drain.Options) time.Duration {
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
