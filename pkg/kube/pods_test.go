// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyAControlPlanesStaticPodsSpeakOfTheCluster(t *testing.T) {
	nodes := []corev1.Node{
		{ObjectMeta: metav1.ObjectMeta{Name: "cp1", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "w1"}},
	}
	pod := func(change func(*corev1.Pod)) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "kube-scheduler-cp1", Namespace: "kube-system",
			Labels:      map[string]string{"component": "kube-scheduler", "tier": "control-plane"},
			Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}},
			Spec: corev1.PodSpec{NodeName: "cp1", Containers: []corev1.Container{{Image: "kube-scheduler:v1.36.3"}}}}
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		pod  corev1.Pod
		want int
	}{
		"a control plane's":         {pod(func(*corev1.Pod) {}), 1},
		"a worker's mirror pod":     {pod(func(p *corev1.Pod) { p.Name, p.Spec.NodeName = "kube-scheduler-w1", "w1" }), 0},
		"of a node that is unknown": {pod(func(p *corev1.Pod) { p.Name, p.Spec.NodeName = "kube-scheduler-x", "x" }), 0},
		"no mirror pod":             {pod(func(p *corev1.Pod) { p.Annotations = nil }), 0},
		"another name":              {pod(func(p *corev1.Pod) { p.Name = "scheduler-cp1" }), 0},
		"no container":              {pod(func(p *corev1.Pod) { p.Spec.Containers = nil }), 0},
	} {
		if got := StaticPods([]corev1.Pod{c.pod}, nodes); len(got) != c.want {
			t.Errorf("%s: %d", name, len(got))
		}
	}
}
