// SPDX-License-Identifier: Apache-2.0

package forecast

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/kube/kubetest"
)

// The claim of a generic ephemeral volume ends with its pod, so no successor waits for it.
func TestAnEphemeralVolumeIsLostAndNotWaitedFor(t *testing.T) {
	pod := kubetest.Pod("web")
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
		{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "web-0"}}},
	}
	v := &view{pods: []*corev1.Pod{pod}}
	v.Local = map[types.NamespacedName]string{
		{Namespace: pod.Namespace, Name: "web-scratch"}: "pv-eph", {Namespace: pod.Namespace, Name: "web-0"}: "pv-0",
	}
	got := map[LossKind]string{}
	v.local(0, func(kind LossKind, _ int, detail string) { got[kind] = detail })
	want := map[LossKind]string{LossEphemeralVolume: "scratch", LossLocalVolume: "pv-0 (claim web-0)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
